//! Enums whose variants are called by a fixed name in the API and in the database.

use crate::db::Value;
use serde::{Deserialize, Deserializer, Serializer};

/// An enum whose variants have a name that clients and the database know.
pub trait Named: Copy + 'static {
    /// All variants, in the order in which they are declared.
    const ALL: &'static [Self];

    /// The name of this variant.
    fn name(self) -> &'static str;

    /// The variant of this name, or of another spelling of it.
    fn named(text: &str) -> Option<Self>;
}

/// Declares enums whose variants have a name, and everything that follows from the names.
///
/// ```
/// windlass_core::named_enum! {
///     /// How a subscriber is told.
///     pub enum Channel {
///         /// By a mail to an address.
///         Email = "email" | "e-mail",
///         /// By a request to a URL.
///         Webhook = "webhook",
///     }
/// }
///
/// assert_eq!(Channel::Email.name(), "email");
/// assert_eq!(Channel::named("e-mail"), Some(Channel::Email));
/// assert_eq!(Channel::ALL.len(), 2);
/// ```
///
/// Each variant has its name after `=`. Other spellings that are read, but never written, follow after
/// `|`. The enum is `Clone`, `Copy`, `Debug`, `PartialEq`, `Eq` and `Hash`; other derives are written
/// above it, also `Default` with `#[default]` on a variant.
///
/// What is made:
/// - `name()`, a `const fn`: the name.
/// - `named(text)`: the variant of a name, in any of its spellings, or nothing.
/// - `ALL`: the variants in their order.
/// - serde reads and writes the name, so a struct that is read from a row's JSON has this type.
/// - `Value::from`, so the enum is a parameter of a statement as it is.
/// - [`Named`](crate::named_enum::Named), for code about all such enums.
#[macro_export]
macro_rules! named_enum {
    ($(
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident {
            $($(#[$variant_attribute:meta])* $variant:ident = $text:literal $(| $other:literal)*,)+
        }
    )+) => {$(
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $visibility enum $name { $($(#[$variant_attribute])* $variant,)+ }

        #[allow(dead_code, reason = "not every enum needs all that its names give")]
        impl $name {
            /// All of them, in their order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in the API and in the database.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The one of this name, in any of its spellings.
            pub fn named(text: &str) -> ::core::option::Option<Self> {
                match text {
                    $($text $(| $other)* => ::core::option::Option::Some(Self::$variant),)+
                    _ => ::core::option::Option::None,
                }
            }
        }

        impl $crate::named_enum::Named for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn name(self) -> &'static str {
                self.name()
            }

            fn named(text: &str) -> ::core::option::Option<Self> {
                Self::named(text)
            }
        }

        impl $crate::serde::Serialize for $name {
            fn serialize<S: $crate::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                $crate::named_enum::write(*self, serializer)
            }
        }

        impl<'de> $crate::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                $crate::named_enum::read(deserializer, ::core::stringify!($name))
            }
        }

        impl ::core::convert::From<$name> for $crate::db::Value {
            fn from(value: $name) -> Self {
                $crate::named_enum::value(value)
            }
        }
    )+};
}

/// Writes a variant as its name.
#[doc(hidden)]
pub fn write<T: Named, S: Serializer>(value: T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.name())
}

/// Reads a variant by its name. `what` is the type, for the text of the refusal.
#[doc(hidden)]
pub fn read<'de, T: Named, D: Deserializer<'de>>(
    deserializer: D,
    what: &str,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    T::named(&text)
        .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no name of a {what}")))
}

/// A variant as the parameter of a statement.
#[doc(hidden)]
pub fn value<T: Named>(value: T) -> Value {
    Value::Text(value.name().to_owned())
}

#[cfg(test)]
mod tests {
    use crate::db::Value;

    named_enum! {
        /// How it goes.
        #[derive(PartialOrd, Ord, Default)]
        enum State {
            /// Well.
            #[default]
            Good = "good",
            /// Not so well.
            Bad = "bad" | "poor",
        }
    }

    #[test]
    fn an_enum_is_its_names() {
        assert_eq!(State::ALL, [State::Good, State::Bad]);
        for state in State::ALL {
            assert_eq!(State::named(state.name()), Some(*state));
            let text = serde_json::to_string(state).unwrap();
            assert_eq!(text, format!("\"{}\"", state.name()));
            assert_eq!(serde_json::from_str::<State>(&text).unwrap(), *state);
        }
        assert_eq!(State::named("poor"), Some(State::Bad));
        assert_eq!(State::named("Good"), None);
        assert_eq!(Value::from(State::Bad), Value::Text("bad".into()));
        assert!(State::default() < State::Bad);
        let refusal = serde_json::from_str::<State>("\"ugly\"").unwrap_err();
        assert!(refusal.to_string().contains("`ugly` is no name of a State"));
    }
}
