//! `/ldap/logins`: asking a directory whether a name and a password go together.
//!
//! This endpoint is private. The other components call it with the tick's token when somebody logs in
//! with a password. Only this component may open connections to the directory. What a login means
//! here (the user's row, groups, the lock) is decided by the component that asked.
//!
//! The settings make a name to bind with of the user's name. After that the user's entry and its groups
//! are searched for, with the account for lookups if there is one, else as the user.

mod client;
mod filter;
mod names;
mod refusal;
#[cfg(test)]
mod tests;

use client::{Client, Entry, Failure, Search};
use names::Names;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use windlass_core::db::Db;
use windlass_core::platform::{TICK_TOKEN_HEADER, demand_tick_token};
use windlass_core::{Body, Context, Error, Kind, Response, Result, log};
use windlass_identity::ldap::{self, Settings};

pub use client::Server;
pub use filter::check as check_filter;

/// The most groups that are followed for one user.
const MAX_GROUPS: usize = 1000;

/// Somebody whose password was right.
#[derive(Debug, PartialEq, Eq)]
struct Person {
    /// The name, as the directory writes it.
    username: String,
    /// The distinguished names of the groups.
    groups: Vec<String>,
}

/// `POST /ldap/logins`: who the user of a name and a password is in the directory.
pub async fn login(ctx: &Context<impl Db>) -> Result<Response> {
    demand_tick_token(ctx.request.get_header(TICK_TOKEN_HEADER)).await?;
    let body = Body::of(ctx)?;
    let (username, password) = (
        body.required_text("username")?,
        body.required_text("password")?,
    );
    let Some(settings) = ldap::find(&ctx.db).await? else {
        return ctx.ok(json!({ "person": null }));
    };
    let lookup_password = ldap::password(&ctx.db).await?;
    let person = Directory::new(&settings, &lookup_password)
        .login(username, password)
        .await
        .map_err(|failure| {
            let text = failure.to_string();
            log::line(
                log::Level::Warning,
                "directory",
                [
                    ("server", settings.ldap_server.as_str().into()),
                    ("error", text.clone().into()),
                ],
            );
            Error::new(
                Kind::Unavailable,
                "The LDAP server cannot be asked at the moment",
            )
            .context(text)
        })?;
    let person = person.map_or(
        Value::Null,
        |person| json!({ "username": person.username, "groups": person.groups }),
    );
    Ok(ctx.ok(json!({ "person": person }))?.quiet())
}

/// A directory, with how to ask it.
pub struct Directory<'s> {
    names: Names<'s>,
    /// The password of the account for lookups.
    password: &'s str,
}

impl<'s> Directory<'s> {
    /// A directory with these settings. The password is that of the account for lookups, if any.
    pub fn new(settings: &'s Settings, password: &'s str) -> Self {
        Self {
            names: Names::new(settings),
            password,
        }
    }

    /// Whether it can be reached, and takes the account for lookups.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn takes_lookups(&self) -> Result<bool, Failure> {
        let mut client = self.connect().await?;
        let taken = self.bind_for_lookups(&mut client).await;
        client.close().await;
        taken
    }

    /// The person with this name and password. Nobody when they do not go together.
    async fn login(&self, username: &str, password: &str) -> Result<Option<Person>, Failure> {
        // An empty password is a login of nobody to a directory, which it takes.
        if username.is_empty() || password.is_empty() {
            return Ok(None);
        }
        let mut client = self.connect().await?;
        let person = self.login_with(&mut client, username, password).await;
        client.close().await;
        person
    }

    async fn connect(&self) -> Result<Client, Failure> {
        Client::connect(&Server::parse(&self.names.settings.ldap_server)?).await
    }

    async fn login_with(
        &self,
        client: &mut Client,
        username: &str,
        password: &str,
    ) -> Result<Option<Person>, Failure> {
        let has_lookups = !self.names.settings.ldap_username.is_empty();
        let bind_name = self.names.bind_name(username);
        let entry = if has_lookups && !names::is_whole(&bind_name) {
            // A bare name says nothing to most directories; the entry's own does.
            self.demand_lookups(client).await?;
            let Some(entry) = self.find(client, username).await? else {
                return Ok(None);
            };
            if !client.bind(&entry.name, password).await? {
                return Ok(None);
            }
            self.demand_lookups(client).await?;
            entry
        } else {
            if !client.bind(&bind_name, password).await? {
                return Ok(None);
            }
            if has_lookups {
                self.demand_lookups(client).await?;
            }
            let Some(entry) = self.find(client, username).await? else {
                let text = format!(
                    "the password of `{username}` is right, but the search for the entry finds none"
                );
                return Err(Failure::Settings(text));
            };
            entry
        };
        let Some(username) = self.name_of(&entry, username) else {
            return Ok(None);
        };
        let groups = self.groups(client, &entry).await?;
        Ok(Some(Person { username, groups }))
    }

    async fn bind_for_lookups(&self, client: &mut Client) -> Result<bool, Failure> {
        let name = self.names.lookup_name();
        client.bind(&name, self.password).await
    }

    async fn demand_lookups(&self, client: &mut Client) -> Result<(), Failure> {
        if self.bind_for_lookups(client).await? {
            return Ok(());
        }
        let text = "the directory refuses the account for lookups, ldap_username";
        Err(Failure::Settings(text.to_owned()))
    }

    /// The entry of a user, if there is exactly one.
    async fn find(&self, client: &mut Client, username: &str) -> Result<Option<Entry>, Failure> {
        let names = &self.names;
        let mut attributes = vec![names.group_attribute()];
        attributes.extend(names.uid_attributes());
        let search = Search {
            base: names.base_dn(),
            filter: names.user_filter(username).map_err(Failure::Settings)?,
            attributes,
            is_base_only: false,
        };
        let mut entries = client.search(search).await?;
        if entries.len() > 1 {
            let text = format!("ldap_user_filter finds several entries for `{username}`");
            return Err(Failure::Settings(text));
        }
        Ok(entries.pop())
    }

    /// The name in an entry that is the one somebody logged in with.
    fn name_of(&self, entry: &Entry, username: &str) -> Option<String> {
        let attributes = self.names.uid_attributes();
        let mut values = attributes
            .iter()
            .filter_map(|attribute| entry.values(attribute))
            .flatten();
        values
            .find(|value| value.eq_ignore_ascii_case(username))
            .map(str::to_owned)
    }

    /// The groups of an entry, and theirs, as deep as the settings say.
    async fn groups(&self, client: &mut Client, entry: &Entry) -> Result<Vec<String>, Failure> {
        let attribute = self.names.group_attribute();
        // Who knows their groups by the attribute may know that there are none.
        let by_attribute = entry.values(&attribute).is_some();
        let mut found = BTreeSet::new();
        let mut level: Vec<String> = match entry.values(&attribute) {
            Some(groups) => groups.map(str::to_owned).collect(),
            None => self.groups_with(client, &entry.name).await?,
        };
        for depth in 1.. {
            let mut next = Vec::new();
            for group in level {
                if found.len() >= MAX_GROUPS || !found.insert(group.clone()) {
                    continue;
                }
                if depth >= self.names.settings.ldap_nested_levels {
                    continue;
                }
                next.extend(if by_attribute {
                    self.groups_in(client, &group).await?
                } else {
                    self.groups_with(client, &group).await?
                });
            }
            if next.is_empty() {
                break;
            }
            level = next;
        }
        Ok(found.into_iter().collect())
    }

    /// The groups that have a member of this name.
    async fn groups_with(&self, client: &mut Client, name: &str) -> Result<Vec<String>, Failure> {
        let filter = self.names.member_filter(name).map_err(Failure::Settings)?;
        let Some(filter) = filter else {
            return Ok(Vec::new());
        };
        let search = Search {
            base: self.names.group_dn(),
            filter,
            attributes: Vec::new(),
            is_base_only: false,
        };
        let groups = client.search(search).await?;
        Ok(groups.into_iter().map(|group| group.name).collect())
    }

    /// The groups that the group of this name says it is in.
    async fn groups_in(&self, client: &mut Client, name: &str) -> Result<Vec<String>, Failure> {
        let attribute = self.names.group_attribute();
        let search = Search {
            base: name.to_owned(),
            filter: filter::any_entry(),
            attributes: vec![attribute.clone()],
            is_base_only: true,
        };
        let entries = client.search(search).await?;
        let groups = entries.iter().filter_map(|entry| entry.values(&attribute));
        Ok(groups.flatten().map(str::to_owned).collect())
    }
}
