//! Application variables: where their values come from, and what a component sees of them.
//!
//! A value comes from `--variable`, else from the environment (`SPIN_VARIABLE_<NAME>`), else from the
//! default in spin.toml. A component sees only what its own `variables` table names. Where the application
//! is (`self_url`) is what the host listens on, unless somebody says otherwise: another default would
//! send the tick, and its token, to whoever listens there.

use crate::bindings::spin::fermyon::spin::variables as v2;
use crate::bindings::spin::spin::variables::variables as v3;
use crate::guest::GuestState;
use crate::manifest::{Manifest, Variable};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use wasmtime::component::{Accessor, HasData};

/// The variable that says where the application reaches itself.
const SELF_URL: &str = "self_url";

/// The URL of what listens on an address. What listens on every address of the machine is reached on the
/// loopback one.
fn reached_at(mut address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    format!("http://{address}")
}

/// The resolved values of the application's variables.
pub struct Variables(HashMap<String, String>);

impl Variables {
    /// Finds a value for every variable of the manifest. `given` are the ones of the command line,
    /// `address` is where the application is served; `environment` looks one up by its full name.
    pub fn resolve(
        manifest: &Manifest,
        given: &BTreeMap<String, String>,
        address: SocketAddr,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        for name in given.keys() {
            if !manifest.variables.contains_key(name) {
                bail!(
                    "variable `{name}` is not declared in spin.toml: add it to [variables], or leave it out"
                );
            }
        }
        let mut values = HashMap::new();
        for (name, variable) in &manifest.variables {
            let in_environment = format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase());
            let value = given
                .get(name)
                .cloned()
                .or_else(|| environment(&in_environment))
                .or_else(|| (name == SELF_URL).then(|| reached_at(address)))
                .or_else(|| variable.default.clone());
            match (value, variable) {
                (Some(value), _) => {
                    values.insert(name.clone(), value);
                }
                (None, Variable { required: true, .. }) => bail!(
                    "variable `{name}` is required: give `--variable {name}=VALUE`, set {in_environment}, or give it a default in spin.toml"
                ),
                (None, _) => bail!(
                    "variable `{name}` has neither a default nor `required = true` in spin.toml"
                ),
            }
        }
        Ok(Self(values))
    }

    /// The value of one variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Replaces every `{{ name }}` of `template`.
    pub fn expand(&self, template: &str) -> Result<String> {
        let mut expanded = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            expanded.push_str(before);
            let (name, after) = after
                .split_once("}}")
                .with_context(|| format!("`{template}`: `{{{{` without `}}}}`"))?;
            let name = name.trim();
            let value = self
                .get(name)
                .with_context(|| format!("`{template}` names the variable `{name}`, which spin.toml does not declare under [variables]"))?;
            expanded.push_str(value);
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}

/// Marks the store data that serves these interfaces.
pub struct VariablesAccess;

impl HasData for VariablesAccess {
    type Data<'a> = &'a mut GuestState;
}

/// Why a component does not get a value.
enum Missing {
    InvalidName(String),
    Undefined(String),
}

impl GuestState {
    fn variable(&self, name: &str) -> Result<String, Missing> {
        let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !valid {
            return Err(Missing::InvalidName(format!("{name:?}")));
        }
        match self.component.variables.get(name) {
            Some(value) => Ok(value.clone()),
            None => Err(Missing::Undefined(format!(
                "no variable for {:?}.{name:?}",
                self.component.id
            ))),
        }
    }
}

impl v3::Host for GuestState {}

impl<T: Send> v3::HostWithStore<T> for VariablesAccess {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, v3::Error>> {
        let value = accessor.with(|mut access| access.get().variable(&name));
        Ok(value.map_err(|missing| match missing {
            Missing::InvalidName(text) => v3::Error::InvalidName(text),
            Missing::Undefined(text) => v3::Error::Undefined(text),
        }))
    }
}

impl v2::Host for GuestState {
    fn get(&mut self, name: String) -> wasmtime::Result<Result<String, v2::Error>> {
        Ok(self.variable(&name).map_err(|missing| match missing {
            Missing::InvalidName(text) => v2::Error::InvalidName(text),
            Missing::Undefined(text) => v2::Error::Undefined(text),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest::parse(
            r#"
            spin_manifest_version = 2
            [application]
            name = "t"
            [variables]
            color = { default = "blue" }
            self_url = { default = "http://elsewhere.example" }
            token = { required = true, secret = true }
            "#,
        )
        .unwrap()
    }

    fn address() -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 3000))
    }

    #[test]
    fn the_application_is_where_it_is_served_unless_somebody_says_otherwise() {
        let resolve = |listen: &str, given: &[&str]| {
            let given = given.iter().copied().chain(["token=t"]);
            let given = given.map(|pair| pair.split_once('=').unwrap());
            let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let listen = listen.parse().unwrap();
            let variables = Variables::resolve(&manifest(), &given.collect(), listen, |_| None);
            variables.unwrap().get("self_url").unwrap().to_owned()
        };
        for (listen, expected) in [
            ("127.0.0.1:3111", "http://127.0.0.1:3111"),
            ("0.0.0.0:3111", "http://127.0.0.1:3111"),
            ("[::]:80", "http://[::1]:80"),
            ("192.0.2.7:3000", "http://192.0.2.7:3000"),
        ] {
            assert_eq!(resolve(listen, &[]), expected, "{listen}");
        }
        assert_eq!(
            resolve("0.0.0.0:1", &["self_url=https://w.example"]),
            "https://w.example"
        );
    }

    #[test]
    fn a_given_value_beats_the_environment_which_beats_the_default() {
        let token = [("token".to_owned(), "t".to_owned())];
        let both = [
            ("token".to_owned(), "t".to_owned()),
            ("color".to_owned(), "red".to_owned()),
        ];
        let environment = |name: &str| (name == "SPIN_VARIABLE_COLOR").then(|| "green".to_owned());
        let nothing = |_: &str| None;
        let resolve = |given: &[(String, String)], environment: &dyn Fn(&str) -> Option<String>| {
            let given = given.iter().cloned().collect();
            let variables =
                Variables::resolve(&manifest(), &given, address(), environment).unwrap();
            variables.get("color").unwrap().to_owned()
        };
        assert_eq!(resolve(&token, &nothing), "blue");
        assert_eq!(resolve(&token, &environment), "green");
        assert_eq!(resolve(&both, &environment), "red");
    }

    #[test]
    fn a_required_variable_without_value_is_refused() {
        let error = Variables::resolve(&manifest(), &BTreeMap::new(), address(), |_| None)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("--variable token="), "{error}");
        assert!(error.contains("SPIN_VARIABLE_TOKEN"), "{error}");
    }

    #[test]
    fn templates_are_expanded() {
        let variables = Variables([("a".to_owned(), "1".to_owned())].into());
        assert_eq!(variables.expand("x{{ a }}y{{a}}").unwrap(), "x1y1");
        assert!(variables.expand("{{ b }}").is_err());
        assert!(variables.expand("{{ a").is_err());
    }
}
