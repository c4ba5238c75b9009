//! The names of all functions, and finding functions in a value before anything is evaluated.

use serde_json::Value;
use std::collections::BTreeSet;

/// When a function can be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// When the deployment is made, if the arguments are known then.
    Hybrid,
    /// When the value is asked for, in a deployment that exists.
    Runtime,
}

macro_rules! functions {
    ($($variant:ident $name:literal $kind:ident,)*) => {
        /// A function of the language.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Function {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Function {
            /// The function that blueprints call by this name.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name that blueprints call it by.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The time at which it can be evaluated.
            pub const fn kind(self) -> Kind {
                match self {
                    $(Self::$variant => Kind::$kind,)*
                }
            }
        }
    };
}

functions! {
    GetInput "get_input" Hybrid,
    GetProperty "get_property" Hybrid,
    GetAttribute "get_attribute" Runtime,
    GetAttributesList "get_attributes_list" Runtime,
    GetAttributesDict "get_attributes_dict" Runtime,
    GetSecret "get_secret" Runtime,
    GetCapability "get_capability" Runtime,
    GetGroupCapability "get_group_capability" Runtime,
    GetEnvironmentCapability "get_environment_capability" Runtime,
    GetLabel "get_label" Runtime,
    GetSys "get_sys" Runtime,
    GetConsumers "get_consumers" Runtime,
    Concat "concat" Hybrid,
    Merge "merge" Hybrid,
    StringFind "string_find" Hybrid,
    StringReplace "string_replace" Hybrid,
    StringSplit "string_split" Hybrid,
    StringLower "string_lower" Hybrid,
    StringUpper "string_upper" Hybrid,
}

/// The function and its arguments, if the value is a function: a map with the name as its key. It
/// may also have a `type`, which the result must have.
pub fn function_of(value: &Value) -> Option<(Function, &Value)> {
    let map = value.as_object().filter(|map| map.len() < 3)?;
    let mut found = None;
    for (name, arguments) in map {
        if name != TYPE {
            found = Some((Function::named(name)?, arguments));
        }
    }
    found
}

/// The key that states the type of a function's value.
pub(super) const TYPE: &str = "type";

/// Whether a value contains a function, at any depth.
pub fn has_functions(value: &Value) -> bool {
    any_function(value, &mut |_, _| true)
}

/// Whether `test` is true for a function in the value. Outer functions are tested first.
pub(crate) fn any_function(value: &Value, test: &mut dyn FnMut(Function, &Value) -> bool) -> bool {
    if let Some((function, arguments)) = function_of(value)
        && test(function, arguments)
    {
        return true;
    }
    match value {
        Value::Array(items) => items.iter().any(|item| any_function(item, test)),
        Value::Object(map) => map.values().any(|item| any_function(item, test)),
        _ => false,
    }
}

/// The data from outside of the deployment that the functions in a value need.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Needs {
    /// The names of the secrets.
    pub secrets: BTreeSet<String>,
    /// Capabilities of other deployments: the deployment and the name.
    pub capabilities: BTreeSet<(String, String)>,
    /// Capabilities of deployment groups: the group and the name.
    pub group_capabilities: BTreeSet<(String, String)>,
    /// The names of capabilities of the parent deployment.
    pub environment_capabilities: BTreeSet<String>,
    /// The keys of the deployment's labels.
    pub labels: BTreeSet<String>,
    /// Whether a function asks for the deployments that depend on this one.
    pub consumers: bool,
    /// Whether a name is a function itself. Then more data may be needed when it is evaluated.
    pub unknown: bool,
}

/// Collects what the functions in a value need, if the names are not functions themselves.
pub fn needs(value: &Value) -> Needs {
    let mut needs = Needs::default();
    any_function(value, &mut |function, arguments| {
        needs.add(function, arguments);
        false
    });
    needs
}

/// The names of the secrets that the functions in a value use.
pub fn secret_names(value: &Value) -> BTreeSet<String> {
    needs(value).secrets
}

impl Needs {
    fn add(&mut self, function: Function, arguments: &Value) {
        let first = match arguments {
            Value::Array(items) => items.first().unwrap_or(&Value::Null),
            single => single,
        };
        let second = arguments.get(1).unwrap_or(&Value::Null);
        let wanted = matches!(
            function,
            Function::GetSecret
                | Function::GetCapability
                | Function::GetGroupCapability
                | Function::GetEnvironmentCapability
                | Function::GetLabel
                | Function::GetConsumers
        );
        if !wanted {
            return;
        }
        let Some(name) = first.as_str().map(str::to_owned) else {
            self.unknown = true;
            return;
        };
        match function {
            Function::GetSecret => {
                self.secrets.insert(name);
            }
            Function::GetEnvironmentCapability => {
                self.environment_capabilities.insert(name);
            }
            Function::GetLabel => {
                self.labels.insert(name);
            }
            Function::GetConsumers => self.consumers = true,
            Function::GetCapability => match second.as_str() {
                Some(capability) => {
                    self.capabilities.insert((name, capability.to_owned()));
                }
                None => self.unknown = true,
            },
            _ => {
                let names = match second {
                    Value::Array(items) => items.as_slice(),
                    single => std::slice::from_ref(single),
                };
                for capability in names.iter().filter_map(Value::as_str) {
                    self.group_capabilities
                        .insert((name.clone(), capability.to_owned()));
                }
            }
        }
    }
}

/// Whether a function in a value asks for a secret, also for one whose name is a function.
pub fn uses_secrets(value: &Value) -> bool {
    uses(value, Function::GetSecret)
}

/// Whether a value contains this function, at any depth.
pub(crate) fn uses(value: &Value, wanted: Function) -> bool {
    any_function(value, &mut |function, _| function == wanted)
}

/// Whether one of the items in a list is a function, so this argument is not known yet.
pub(crate) fn any_item_is_function(arguments: &Value) -> bool {
    let items = arguments.as_array().into_iter().flatten();
    items.into_iter().any(|item| function_of(item).is_some())
}
