//! What the settings of a directory make of a user's name: names to bind with, filters, bases.
//!
//! Settings that are left empty have the usual values of an Active Directory, or of the others.

use super::filter;
use ldap3_proto::proto::LdapFilter;
use windlass_identity::ldap::{Settings, dn};

/// The settings of a directory, with what they leave empty.
pub struct Names<'s> {
    /// The settings as they are kept.
    pub settings: &'s Settings,
}

impl<'s> Names<'s> {
    /// For these settings.
    pub fn new(settings: &'s Settings) -> Self {
        Self { settings }
    }

    /// What is given, or else the usual value for this kind of directory.
    fn given<'v>(&self, value: &'v str, active_directory: &'v str, other: &'v str) -> &'v str {
        match (value.trim(), self.settings.ldap_is_active_directory) {
            ("", true) => active_directory,
            ("", false) => other,
            (given, _) => given,
        }
    }

    /// The domain as a name: `harbour.example` is `dc=harbour,dc=example`.
    fn domain_dn(&self) -> String {
        let parts = self.settings.ldap_domain.split('.');
        let parts: Vec<String> = parts
            .filter(|part| !part.is_empty())
            .map(|part| format!("dc={}", dn::escape(part)))
            .collect();
        parts.join(",")
    }

    /// Where searches begin.
    pub fn base_dn(&self) -> String {
        let Settings {
            ldap_base_dn,
            ldap_dn_extra,
            ..
        } = self.settings;
        if !ldap_base_dn.is_empty() {
            return ldap_base_dn.clone();
        }
        let domain = self.domain_dn();
        match (ldap_dn_extra.as_str(), domain.as_str()) {
            ("", _) => domain,
            (extra, "") => extra.to_owned(),
            (extra, domain) => format!("{extra},{domain}"),
        }
    }

    /// Where searches for groups begin.
    pub fn group_dn(&self) -> String {
        const USUAL: &str = "ou=groups,{base_dn}";
        let format = self.given(&self.settings.ldap_group_dn, USUAL, USUAL);
        let (base, domain) = (self.base_dn(), self.domain_dn());
        expand(format, &[("base_dn", &base), ("domain_dn", &domain)])
    }

    /// The name with which a user binds.
    pub fn bind_name(&self, username: &str) -> String {
        let format = self.given(
            &self.settings.ldap_bind_format,
            "{username}@{domain}",
            "uid={username},ou=users,{base_dn}",
        );
        // In a distinguished name a user's name must stay one value.
        let escaped = match format.contains('=') {
            true => dn::escape(username),
            false => username.to_owned(),
        };
        expand(
            format,
            &[
                ("username", &escaped),
                ("domain", &self.settings.ldap_domain),
                ("base_dn", &self.base_dn()),
                ("domain_dn", &self.domain_dn()),
                ("group_dn", &self.group_dn()),
            ],
        )
    }

    /// The name with which the account for lookups binds: a bare one is made whole as a user's is.
    pub fn lookup_name(&self) -> String {
        let name = &self.settings.ldap_username;
        match is_whole(name) {
            true => name.clone(),
            false => self.bind_name(name),
        }
    }

    /// The filter that finds a user's entry.
    ///
    /// # Errors
    /// What is wrong with the setting.
    pub fn user_filter(&self, username: &str) -> Result<LdapFilter, String> {
        let text = self.given(
            &self.settings.ldap_user_filter,
            "(|(sAMAccountName={username})(uid={username}))",
            "(uid={username})",
        );
        let values = [
            ("username", username),
            ("base_dn", &self.base_dn()),
            ("domain_dn", &self.domain_dn()),
            ("group_dn", &self.group_dn()),
        ];
        filter::read(text, &values).map_err(|error| format!("ldap_user_filter: {error}"))
    }

    /// The filter that finds the groups of an entry. An Active Directory has none unless it is
    /// given: there entries know their groups.
    ///
    /// # Errors
    /// What is wrong with the setting.
    pub fn member_filter(&self, object_dn: &str) -> Result<Option<LdapFilter>, String> {
        let text = self.given(
            &self.settings.ldap_group_member_filter,
            "",
            "(uniqueMember={object_dn})",
        );
        if text.is_empty() {
            return Ok(None);
        }
        filter::read(text, &[("object_dn", object_dn)])
            .map(Some)
            .map_err(|error| format!("ldap_group_member_filter: {error}"))
    }

    /// The attributes of which one has the user's name.
    pub fn uid_attributes(&self) -> Vec<String> {
        match (
            self.settings.ldap_attribute_uid.as_str(),
            self.settings.ldap_is_active_directory,
        ) {
            ("", true) => vec!["uid".to_owned(), "sAMAccountName".to_owned()],
            ("", false) => vec!["uid".to_owned()],
            (given, _) => vec![given.to_owned()],
        }
    }

    /// The attribute that has an entry's groups.
    pub fn group_attribute(&self) -> String {
        let given = &self.settings.ldap_attribute_group_membership;
        self.given(given, "memberOf", "memberOf").to_owned()
    }
}

/// Whether a directory can know whom a name means: a distinguished name, or one with its domain.
pub fn is_whole(name: &str) -> bool {
    name.contains(['=', '@', '\\'])
}

/// A text with its placeholders filled in, once: what was filled in is not looked at again.
fn expand(format: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((placeholder, behind)) = after.split_once('}') else {
            rest = after;
            break;
        };
        let known = values.iter().find(|(name, _)| *name == placeholder);
        text.push_str(known.map_or("", |(_, value)| value));
        rest = behind;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_settings() {
        let usual = || Settings {
            ldap_domain: "harbour.example".into(),
            ..Settings::default()
        };
        let active = || Settings {
            ldap_is_active_directory: true,
            ..usual()
        };
        let binding = |format: &str| Settings {
            ldap_bind_format: format.into(),
            ..usual()
        };
        for (settings, username, want) in [
            (usual(), "ann", "uid=ann,ou=users,dc=harbour,dc=example"),
            (
                usual(),
                "a,ou=admins",
                "uid=a\\,ou\\=admins,ou=users,dc=harbour,dc=example",
            ),
            (active(), "ann", "ann@harbour.example"),
            (active(), "a=b", "a=b@harbour.example"),
            (binding("{username}"), "ann", "ann"),
            (binding(" {username} \n"), "ann", "ann"),
            (
                binding("cn={username},{group_dn}"),
                "{domain}",
                "cn={domain},ou=groups,dc=harbour,dc=example",
            ),
        ] {
            assert_eq!(Names::new(&settings).bind_name(username), want);
        }
    }

    #[test]
    fn bases_come_from_what_is_given() {
        for (base, extra, domain, group, want) in [
            ("", "", "a.b", "", ("dc=a,dc=b", "ou=groups,dc=a,dc=b")),
            ("o=x", "ou=y", "a.b", "", ("o=x", "ou=groups,o=x")),
            (
                "",
                "ou=y",
                "a.b",
                "ou=g,{base_dn}",
                ("ou=y,dc=a,dc=b", "ou=g,ou=y,dc=a,dc=b"),
            ),
            ("", "", "", "o=g", ("", "o=g")),
        ] {
            let settings = Settings {
                ldap_base_dn: base.into(),
                ldap_dn_extra: extra.into(),
                ldap_domain: domain.into(),
                ldap_group_dn: group.into(),
                ..Settings::default()
            };
            let names = Names::new(&settings);
            assert_eq!((names.base_dn().as_str(), names.group_dn().as_str()), want);
        }
    }

    #[test]
    fn the_account_for_lookups_may_have_any_form_of_name() {
        for (name, want) in [
            ("cn=admin,dc=a", "cn=admin,dc=a"),
            ("admin@a", "admin@a"),
            ("A\\admin", "A\\admin"),
            ("admin", "uid=admin,ou=users,dc=a"),
        ] {
            let settings = Settings {
                ldap_username: name.into(),
                ldap_domain: "a".into(),
                ..Settings::default()
            };
            assert_eq!(Names::new(&settings).lookup_name(), want);
        }
    }
}
