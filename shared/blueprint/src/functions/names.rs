//! Which functions there are, and finding them in a value before anything is evaluated.

use serde_json::Value;
use std::collections::BTreeSet;

/// When a function can be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// When the deployment is made, if its arguments are known by then.
    Hybrid,
    /// When somebody asks for the value.
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
            /// The function of this name.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name, as blueprints write it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// When it can be evaluated.
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

/// The function that this value is, with its arguments: a map with the function's name as its
/// key, and perhaps a `type` that says what its value has to be.
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

/// The key beside a function that names the type of its value.
pub(super) const TYPE: &str = "type";

/// Whether there is a function anywhere in the value.
pub fn has_functions(value: &Value) -> bool {
    any_function(value, &mut |_, _| true)
}

/// Whether any function in the value makes `test` true, outer ones first.
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

/// What a value's functions need from outside the deployment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Needs {
    /// Names of secrets.
    pub secrets: BTreeSet<String>,
    /// Deployment and capability.
    pub capabilities: BTreeSet<(String, String)>,
    /// Deployment group and capability.
    pub group_capabilities: BTreeSet<(String, String)>,
    /// Capabilities of the parent deployment.
    pub environment_capabilities: BTreeSet<String>,
    /// Keys of the deployment's labels.
    pub labels: BTreeSet<String>,
    /// Whether the deployments that depend on this one are asked for.
    pub consumers: bool,
    /// Whether a name is itself a function, so that evaluating may ask for more.
    pub unknown: bool,
}

/// What a value's functions need, as far as names are written out.
pub fn needs(value: &Value) -> Needs {
    let mut needs = Needs::default();
    any_function(value, &mut |function, arguments| {
        needs.add(function, arguments);
        false
    });
    needs
}

/// The names of the secrets that a value uses.
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

/// Whether this function is anywhere in the value.
pub(crate) fn uses(value: &Value, wanted: Function) -> bool {
    any_function(value, &mut |function, _| function == wanted)
}

/// Whether a function is among the items of a list: an argument that is still open.
pub(crate) fn any_item_is_function(arguments: &Value) -> bool {
    let items = arguments.as_array().into_iter().flatten();
    items.into_iter().any(|item| function_of(item).is_some())
}
