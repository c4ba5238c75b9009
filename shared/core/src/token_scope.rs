//! What a token may be used for.
//!
//! Ann's nightly script starts pipelines and nothing else, so its token has the scope `pipeline`: found in
//! a log, it opens no blueprint and no activity log. A token without scopes stands for its user
//! everywhere; a scope only ever takes away, it never gives what the user may not do.

use crate::error::{Error, Result};
use crate::family::Family;
use windlass_python as python;

crate::named_enum! {
    /// One use of a token.
    pub enum TokenScope {
        /// Conductor's API.
        Conductor = "conductor",
        /// Adjutant's API, and Keystone's, by which its clients log in.
        Adjutant = "adjutant",
        /// All of Opsera's API, except what asks for [`Self::SecurityLogs`] alone.
        Api = "api",
        /// Opsera's pipelines.
        Pipeline = "pipeline",
        /// Opsera's activity logs, to read. Its clients know it by a second spelling.
        SecurityLogs = "security-logs" | "securityLogs",
        /// What people change in the Status Dashboard. Its monitors have tokens of their own.
        StatusDashboard = "status-dashboard",
    }
}

impl TokenScope {
    /// The scopes of which a token needs one to be of any use to a family.
    pub const fn of_family(family: Family) -> &'static [Self] {
        match family {
            Family::Conductor => &[Self::Conductor],
            Family::Adjutant | Family::Keystone => &[Self::Adjutant],
            Family::Opsera => &[Self::Api, Self::Pipeline, Self::SecurityLogs],
            Family::StatusDashboard | Family::StatusDashboardV2 => &[Self::StatusDashboard],
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The scopes of a token, or all there are and will be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenScopes(Option<u8>);

impl TokenScopes {
    /// No restriction.
    pub const UNRESTRICTED: Self = Self(None);

    /// These and no others.
    pub fn only(scopes: impl IntoIterator<Item = TokenScope>) -> Self {
        Self(Some(
            scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()),
        ))
    }

    /// Reads the names of a token's row. Names of another version permit nothing here.
    pub fn from_names<S: AsRef<str>>(names: &[S]) -> Self {
        Self::only(
            names
                .iter()
                .filter_map(|name| TokenScope::named(name.as_ref())),
        )
    }

    /// Reads the names that a request asks for.
    ///
    /// # Errors
    /// 400 for unknown ones, naming what there is, and for an empty list.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Self> {
        if names.is_empty() {
            return Err(Error::bad_parameters(
                "scopes is empty: a token with no scope could do nothing. Leave it out for a token without restriction",
            ));
        }
        for name in names {
            if TokenScope::named(name.as_ref()).is_none() {
                return Err(Error::bad_parameters(format!(
                    "Invalid scope: `{}`. Valid scopes are: {}",
                    name.as_ref(),
                    python::list(TokenScope::ALL.iter().map(|scope| scope.name()))
                )));
            }
        }
        Ok(Self::from_names(names))
    }

    /// Whether it leaves anything out.
    pub const fn is_restricted(self) -> bool {
        self.0.is_some()
    }

    /// Whether one of these is among them.
    pub fn any_of(self, wanted: &[TokenScope]) -> bool {
        self.0
            .is_none_or(|bits| wanted.iter().any(|scope| bits & scope.bit() != 0))
    }

    /// Whether everything that is in here is also in `other`.
    pub fn is_within(self, other: Self) -> bool {
        match (self.0, other.0) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(these), Some(those)) => these & !those == 0,
        }
    }

    /// The names, or nothing when there is no restriction.
    pub fn names(self) -> Option<Vec<&'static str>> {
        let bits = self.0?;
        let held = |scope: &TokenScope| bits & scope.bit() != 0;
        let scopes = TokenScope::ALL.iter().filter(|scope| held(scope));
        Some(scopes.map(|scope| scope.name()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_named() {
        for (names, want) in [
            (&["api"][..], Ok(vec!["api"])),
            (&["pipeline", "api", "api"], Ok(vec!["api", "pipeline"])),
            (&["securityLogs"], Ok(vec!["security-logs"])),
            (&[], Err("scopes is empty")),
            (
                &["api", "Api"],
                Err(
                    "Invalid scope: `Api`. Valid scopes are: ['conductor', 'adjutant', 'api', 'pipeline', 'security-logs', 'status-dashboard']",
                ),
            ),
        ] {
            match (TokenScopes::parse(names), want) {
                (Ok(got), Ok(want)) => assert_eq!(got.names(), Some(want), "{names:?}"),
                (Err(got), Err(part)) => assert!(got.message().starts_with(part), "{got:?}"),
                (got, _) => panic!("{names:?}: {got:?}"),
            }
        }
        assert_eq!(TokenScopes::UNRESTRICTED.names(), None);
    }

    #[test]
    fn a_restricted_token_makes_no_freer_one() {
        let free = TokenScopes::UNRESTRICTED;
        let api = TokenScopes::from_names(&["api"]);
        let both = TokenScopes::from_names(&["api", "conductor"]);
        let unknown = TokenScopes::from_names(&["of a later version"]);
        for (narrow, wide, want) in [
            (free, free, true),
            (api, free, true),
            (free, api, false),
            (api, both, true),
            (both, api, false),
            (unknown, api, true),
        ] {
            assert_eq!(narrow.is_within(wide), want, "{narrow:?} in {wide:?}");
        }
        assert!(!unknown.any_of(TokenScope::ALL));
        assert!(free.any_of(&[TokenScope::Pipeline]) && !api.any_of(&[TokenScope::Pipeline]));
    }
}
