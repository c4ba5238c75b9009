//! `cloudify.nodes.PasswordSecret`: a node that is a secret with a password made at random.
//!
//! The value is nowhere but in the secret: the instance's `password` is the function that reads it.

use super::{Went, Whose};
use serde_json::{Map, Value, json};
use windlass_blueprint::functions::Context;
use windlass_core::db::Tx;
use windlass_core::{Kind, Result, Visibility, ids};
use windlass_deployment::environment::World;
use windlass_store::executions::Execution;
use windlass_store::node_instances;
use windlass_store::resource::{New, Origin};
use windlass_store::secrets::{self, Holding};

/// The shortest password.
const SHORTEST: i64 = 6;

/// The longest: a value of a secret has a limit anyway.
const LONGEST: i64 = 4096;

/// The groups of characters in the order of their properties.
const GROUPS: [(&str, &str); 4] = [
    ("uppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("lowercase", "abcdefghijklmnopqrstuvwxyz"),
    ("digits", "0123456789"),
    ("symbols", " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
];

/// The runtime property of an instance whose secret was there before it, and stays after it.
const FOUND: &str = "secret_existed";

/// What a node asks for.
struct Wanted {
    length: i64,
    /// How many of each group at least; -1 for none at all.
    least: [i64; 4],
    secret_name: String,
    uses_existing: bool,
}

impl Wanted {
    /// Reads the node's properties, which inputs of the operation go before. Or why they cannot be used.
    async fn of(tx: &impl Tx, whose: &Whose) -> Result<Result<Self, String>> {
        let mut all = node_instances::node_properties(tx, whose.source.key).await?;
        let mut asked = all.remove(&whose.node).unwrap_or_default();
        if let Some(properties) = asked.as_object_mut() {
            properties.extend(whose.inputs.clone());
        }
        let context = Context {
            self_instance: Some(whose.instance.clone()),
            ..Context::default()
        };
        let world = World::load_for_engine(tx, whose.source.key, &asked, &context).await?;
        let given = match world.here().evaluate(&asked, &context) {
            Ok(given) => given,
            Err(problem) => return Ok(Err(world.explain(&problem.message))),
        };
        let number = |name: &str| given.get(name).and_then(Value::as_i64);
        let text = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default();
        Ok(Ok(Self {
            length: number("length").unwrap_or(8),
            least: GROUPS.map(|(name, _)| number(name).unwrap_or(0)),
            secret_name: text("secret_name").to_owned(),
            uses_existing: given.get("use_secret_if_exists").and_then(Value::as_bool) == Some(true),
        }))
    }

    /// Why there can be no such password, in the words of the original.
    fn problem(&self) -> Option<&'static str> {
        let needed: i64 = self
            .least
            .iter()
            .fold(0, |sum, least| sum.saturating_add(*least));
        Some(match () {
            () if self.length < SHORTEST => {
                "Password length is required to be at least 6 characters"
            }
            () if self.length > LONGEST => {
                "Password length is required to be at most 4096 characters"
            }
            () if self.least.iter().any(|least| *least < -1) => {
                "Illegal character group length provided: expecting an integer greater than 0, or -1 \
                 for not using this character group"
            }
            () if self.least.iter().all(|least| *least == -1) => {
                "Could not satisfy password requirements: at least one character group should be used"
            }
            () if needed > self.length => {
                "Could not satisfy password requirements: lengths of required character groups is \
                 larger than the password length"
            }
            () => return None,
        })
    }

    /// A password as wanted, which nobody can guess.
    fn password(&self) -> String {
        let groups = GROUPS.iter().zip(self.least);
        let alphabet: Vec<u8> = groups
            .clone()
            .filter(|(_, least)| *least >= 0)
            .flat_map(|((_, group), _)| group.bytes())
            .collect();
        let mut characters = Vec::new();
        for ((_, group), least) in groups {
            characters.extend((0..least).filter_map(|_| chosen(group.as_bytes())));
        }
        let rest = self.length - i64::try_from(characters.len()).unwrap_or(i64::MAX);
        characters.extend((0..rest).filter_map(|_| chosen(&alphabet)));
        // Whoever is left is put at a place by chance, one after the other.
        let mut password = String::with_capacity(characters.len());
        while !characters.is_empty() {
            password.push(char::from(characters.swap_remove(below(characters.len()))));
        }
        password
    }
}

/// One of these characters, each as likely as the others.
fn chosen(group: &[u8]) -> Option<u8> {
    group.get(below(group.len())).copied()
}

/// A number below another one, which is not 0, each as likely as the others.
fn below(end: usize) -> usize {
    loop {
        let number = usize::from(u16::from_le_bytes(ids::random_bytes()));
        // Beyond the largest multiple some would come more often.
        if number < 65_536 / end.max(1) * end {
            return number % end;
        }
    }
}

/// Says what is wrong with the properties before anything is made.
pub(super) async fn validate(tx: &impl Tx, whose: &Whose) -> Result<Went> {
    Ok(match Wanted::of(tx, whose).await? {
        Ok(wanted) => match wanted.problem() {
            None => Went::Done(Map::new()),
            Some(problem) => Went::Failed(problem.to_owned()),
        },
        Err(reason) => Went::Failed(reason),
    })
}

/// Makes the secret, or uses one that is there.
pub(super) async fn create(tx: &impl Tx, whose: &Whose, execution: &Execution) -> Result<Went> {
    let wanted = match Wanted::of(tx, whose).await? {
        Ok(wanted) => wanted,
        Err(reason) => return Ok(Went::Failed(reason)),
    };
    if wanted.uses_existing {
        if wanted.secret_name.is_empty() {
            let text =
                "Can't enable `use_secret_if_exists` property without providing a secret_name";
            return Ok(Went::Failed(text.to_owned()));
        }
        let name = wanted.secret_name.as_str();
        if secrets::missing(tx, &whose.scope, &[name])
            .await?
            .is_empty()
        {
            let mut properties = properties(name);
            properties.insert(FOUND.to_owned(), json!(true));
            return Ok(Went::Done(properties));
        }
    }
    // It was made by a try that was interrupted, or by an execution that is resumed.
    let known = known(tx, whose, execution).await?;
    if known
        .get("password")
        .is_some_and(|password| !password.is_null())
    {
        return Ok(Went::Done(Map::new()));
    }
    if let Some(problem) = wanted.problem() {
        return Ok(Went::Failed(problem.to_owned()));
    }
    let name = match wanted.secret_name.is_empty() {
        true => format!("ps_{}_{}", whose.source.id, whose.instance),
        false => wanted.secret_name.clone(),
    };
    ids::check("secret_name", &name)?;
    let new = New {
        id: name.clone(),
        visibility: Visibility::Tenant,
        origin: Origin::default(),
    };
    let holding = Holding {
        value: secrets::seal(&wanted.password().into()).await?,
        schema: None,
        is_hidden_value: false,
        provider_key: None,
        provider_options: None,
    };
    secrets::insert(tx, &whose.scope, &new, &holding).await?;
    Ok(Went::Done(properties(&name)))
}

/// Takes the secret away that was made; one that was there before stays, which the original would delete
/// under others who use it.
pub(super) async fn delete(tx: &impl Tx, whose: &Whose, execution: &Execution) -> Result<Went> {
    let known = known(tx, whose, execution).await?;
    let name = known.get("secret_name").and_then(Value::as_str);
    let is_ours = known.get(FOUND).and_then(Value::as_bool) != Some(true);
    if let Some(name) = name.filter(|_| is_ours) {
        match secrets::find_changeable(tx, &whose.scope, name).await {
            Ok(found) => secrets::delete(tx, &whose.scope, &found.secret).await?,
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let gone = ["password", "secret_name", FOUND];
    Ok(Went::Done(
        gone.map(|name| (name.to_owned(), Value::Null))
            .into_iter()
            .collect(),
    ))
}

/// The runtime properties of the instance.
async fn known(tx: &impl Tx, whose: &Whose, execution: &Execution) -> Result<Map<String, Value>> {
    let instance = whose.instance.as_str();
    let mut all = node_instances::runtime_properties(tx, execution, &[instance]).await?;
    Ok(all.remove(instance).unwrap_or_default())
}

fn properties(secret_name: &str) -> Map<String, Value> {
    Map::from_iter([
        ("secret_name".to_owned(), json!(secret_name)),
        ("password".to_owned(), json!({ "get_secret": secret_name })),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(length: i64, least: [i64; 4]) -> Wanted {
        Wanted {
            length,
            least,
            secret_name: String::new(),
            uses_existing: false,
        }
    }

    #[test]
    fn a_password_has_what_is_wanted_and_nothing_that_is_not() {
        for least in [
            [0; 4],
            [2, 3, 1, 4],
            [-1, 5, -1, 1],
            [-1, -1, 10, -1],
            [-1, -1, 0, -1],
        ] {
            let wanted = wanted(10, least);
            for _ in 0..50 {
                let password = wanted.password();
                assert_eq!(password.chars().count(), 10);
                for ((name, group), least) in GROUPS.iter().zip(least) {
                    let found = password.chars().filter(|one| group.contains(*one)).count() as i64;
                    let fits = if least < 0 {
                        found == 0
                    } else {
                        found >= least
                    };
                    assert!(fits, "{least} of {name}: {password}");
                }
            }
        }
        assert_ne!(wanted(20, [0; 4]).password(), wanted(20, [0; 4]).password());
    }

    #[test]
    fn what_no_password_can_be_is_refused() {
        for (length, least, word) in [
            (5, [0; 4], "at least 6"),
            (5000, [0; 4], "at most 4096"),
            (8, [0, -10, 0, 0], "greater than 0, or -1"),
            (8, [-1; 4], "at least one character group"),
            (8, [4, 5, 0, 0], "larger than the password length"),
        ] {
            let problem = wanted(length, least).problem().unwrap();
            assert!(problem.contains(word), "{problem}");
        }
        assert_eq!(wanted(6, [2, 2, 1, 1]).problem(), None);
    }
}
