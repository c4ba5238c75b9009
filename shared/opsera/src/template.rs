//! Values with places to be filled: what a step sends depends on what came before it.
//!
//! The language is that of Jinja's expressions, as `minijinja` has it: no statements, and only filters and
//! operators that make nothing much larger than it was. Every text inside a configuration is a template. One
//! that is a single `{{ expression }}` becomes the expression's value with its type, so that a number
//! stays a number; all others become texts. A value that is put into a place is never read as a
//! template again, and inside JSON it cannot leave its text. What a template may cost is counted.

use minijinja::{Environment, UndefinedBehavior, filters};
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

/// How many steps one text may take to be filled.
const FUEL: u64 = 50_000;

/// The most bytes that one text may become.
const LONGEST: usize = 512 << 10;

/// The most characters of code in one text, and the most times that it puts texts together.
const CODE: usize = 2000;
const JOINED: usize = 8;

/// What places can name.
#[derive(Clone, Debug, Default)]
pub struct Known(Map<String, Json>);

impl Known {
    /// With one more name.
    #[must_use]
    pub fn with(mut self, name: &str, value: Json) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("abs", filters::abs);
    environment.add_filter("default", filters::default);
    environment.add_filter("first", filters::first);
    environment.add_filter("float", filters::float);
    environment.add_filter("int", filters::int);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lower", |value: minijinja::Value| {
        told_of(&value).map(|text| text.to_lowercase())
    });
    environment.add_filter("round", filters::round);
    environment.add_filter("string", |value: minijinja::Value| told_of(&value));
    environment.add_filter("tojson", to_json);
    environment.add_filter("trim", |value: minijinja::Value| {
        told_of(&value).map(|text| text.trim().to_owned())
    });
    environment.add_filter("upper", |value: minijinja::Value| {
        told_of(&value).map(|text| text.to_uppercase())
    });
    environment
}

/// A value as text, if that is no longer than a text may become: each telling of a list doubles the
/// backslashes in it.
fn told_of(value: &minijinja::Value) -> Result<String, minijinja::Error> {
    if value.is_undefined() {
        return Err(minijinja::ErrorKind::UndefinedError.into());
    }
    let mut filled = Filled(Vec::new());
    write!(filled, "{value}").map_err(|_| too_long())?;
    String::from_utf8(filled.0).map_err(|_| too_long())
}

/// A value as JSON in one line, if it is no longer than a text may become. It takes no indent, which
/// could be as large as memory.
fn to_json(value: minijinja::Value) -> Result<minijinja::Value, minijinja::Error> {
    demand_short(&value)?;
    filters::tojson(
        &value,
        None,
        std::iter::empty::<(String, minijinja::Value)>().collect(),
    )
}

/// Refuses a value that is longer than a text may become.
fn demand_short(value: &minijinja::Value) -> Result<(), minijinja::Error> {
    serde_json::to_writer(Filled(Vec::new()), value).map_err(|_| too_long())
}

fn too_long() -> minijinja::Error {
    let text = format!("it became more than the allowed {LONGEST} bytes");
    minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, text)
}

/// Refuses what could make much of little: memory is what all steps share.
fn check_code(text: &str) -> Result<(), String> {
    let refused = |why: &str| Err(format!("The template `{}` {why}", shown(text)));
    if text.contains("{%") {
        return refused("has statements: only expressions are taken");
    }
    // What stands in a comment is read neither as code nor as quoted text.
    if text.contains("{#") {
        return refused("has comments: only expressions are taken");
    }
    let mut code = Code::default();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        match code.take(after) {
            Some(more) => rest = more,
            None => {
                return refused(
                    "cannot be filled: syntax error: nothing tells where an expression ends",
                );
            }
        }
    }
    if code.multiplies {
        return refused("multiplies, which templates do not");
    }
    if code.bytes > CODE || code.joined > JOINED {
        return refused("has too much code for one text");
    }
    Ok(())
}

/// What the expressions of a text consist of.
#[derive(Default)]
struct Code {
    bytes: usize,
    joined: usize,
    multiplies: bool,
}

impl Code {
    /// Counts one expression, and answers what stands behind it. Its end is where the templates' own
    /// reader has it: not in a quoted text, and not while a bracket is open. Nothing when it has none.
    fn take<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let mut open = 0_usize;
        let mut quote = None;
        let mut letters = text.char_indices();
        while let Some((at, letter)) = letters.next() {
            if let Some(mark) = quote {
                match letter {
                    '\\' => drop(letters.next()),
                    _ if letter == mark => quote = None,
                    _ => {}
                }
                continue;
            }
            match letter {
                '\'' | '"' => quote = Some(letter),
                '*' => self.multiplies = true,
                '~' | '+' => self.joined += 1,
                '(' | '[' | '{' => open += 1,
                '}' if open == 0 => {
                    self.bytes += at;
                    return text.get(at..)?.strip_prefix("}}");
                }
                ')' | ']' | '}' => open = open.checked_sub(1)?,
                _ => {}
            }
        }
        None
    }
}

/// The expression of a text that is one place and nothing else.
fn expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let is_one = !inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%");
    is_one.then(|| inner.trim_matches('-').trim())
}

/// Fills the places of all texts in a value.
///
/// # Errors
/// A text that says which template failed, and why.
pub fn fill(value: &Json, known: &Known) -> Result<Json, String> {
    let environment = environment();
    let context = to_template(&Json::Object(known.0.clone()));
    fill_with(value, &environment, &context)
}

fn fill_with(
    value: &Json,
    environment: &Environment<'_>,
    context: &minijinja::Value,
) -> Result<Json, String> {
    Ok(match value {
        Json::String(text) if has_places(text) => fill_text(text, environment, context)?,
        Json::Array(items) => {
            let filled = items
                .iter()
                .map(|item| fill_with(item, environment, context));
            filled.collect::<Result<_, _>>()?
        }
        Json::Object(fields) => {
            let mut filled = Map::new();
            for (name, value) in fields {
                filled.insert(name.clone(), fill_with(value, environment, context)?);
            }
            Json::Object(filled)
        }
        other => other.clone(),
    })
}

fn has_places(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

fn fill_text(
    text: &str,
    environment: &Environment<'_>,
    context: &minijinja::Value,
) -> Result<Json, String> {
    check_code(text)?;
    if let Some(expression) = expression(text) {
        let compiled = environment.compile_expression(expression);
        let value = compiled.and_then(|compiled| compiled.eval(context.clone()));
        let value = value.map_err(|error| told(text, &error))?;
        if value.is_undefined() {
            return Err(format!("The template `{}` names nothing", shown(text)));
        }
        demand_short(&value).map_err(|error| told(text, &error))?;
        return serde_json::to_value(&value).map_err(|error| format!("`{}`: {error}", shown(text)));
    }
    let template = environment.template_from_str(text);
    let template = template.map_err(|error| told(text, &error))?;
    let mut filled = Filled(Vec::new());
    let rendered = template.render_captured_to(context.clone(), &mut filled);
    if filled.0.len() > LONGEST {
        return Err(format!(
            "The template `{}` became more than the allowed {LONGEST} bytes",
            shown(text)
        ));
    }
    rendered.map_err(|error| told(text, &error))?;
    let text = String::from_utf8(filled.0).map_err(|error| error.to_string())?;
    Ok(Json::String(text))
}

/// What a template has become so far; it takes no more than a little over the limit.
struct Filled(Vec<u8>);

impl std::io::Write for Filled {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() > LONGEST {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let room = LONGEST + 1 - self.0.len().min(LONGEST);
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.0.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn told(text: &str, error: &minijinja::Error) -> String {
    let why = error.detail().unwrap_or_default();
    let kind = error.kind();
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(": {why}")
    };
    format!(
        "The template `{}` cannot be filled: {kind}{why}",
        shown(text)
    )
}

/// As much of a template as tells which one it is.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// What the templates of a value name below `secrets`.
///
/// # Errors
/// A text that says which of them is none.
pub fn secrets(value: &Json) -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    look(value, &environment(), &mut found)?;
    Ok(found)
}

fn look(
    value: &Json,
    environment: &Environment<'_>,
    found: &mut BTreeSet<String>,
) -> Result<(), String> {
    match value {
        Json::String(text) if has_places(text) => {
            check_code(text)?;
            let template = environment.template_from_str(text);
            let template = template.map_err(|error| told(text, &error))?;
            for name in template.undeclared_variables(true) {
                if let Some(secret) = name.strip_prefix("secrets.") {
                    let first = secret.split('.').next().unwrap_or(secret);
                    found.insert(first.to_owned());
                }
            }
            Ok(())
        }
        Json::Array(items) => items
            .iter()
            .try_for_each(|item| look(item, environment, found)),
        Json::Object(fields) => fields
            .values()
            .try_for_each(|item| look(item, environment, found)),
        _ => Ok(()),
    }
}

/// Numbers of JSON are texts with digits here, which no other library knows.
fn to_template(value: &Json) -> minijinja::Value {
    match value {
        Json::Null => minijinja::Value::from(()),
        Json::Bool(flag) => minijinja::Value::from(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => minijinja::Value::from(whole),
            (None, Some(real)) => minijinja::Value::from(real),
            (None, None) => minijinja::Value::from(number.to_string()),
        },
        Json::String(text) => minijinja::Value::from(text.as_str()),
        Json::Array(items) => {
            minijinja::Value::from(items.iter().map(to_template).collect::<Vec<_>>())
        }
        Json::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), to_template(value)));
            minijinja::Value::from(fields.collect::<BTreeMap<String, minijinja::Value>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn known() -> Known {
        Known::default()
            .with(
                "parameters",
                json!({ "size": 3, "name": "a\"b{{ 1 }}", "big": 1.5 }),
            )
            .with(
                "steps",
                json!({ "Build": { "outputs": { "list": [1, 2] } } }),
            )
    }

    #[test]
    fn places_are_filled_with_what_is_known() {
        for (template, want) in [
            (json!("plain"), json!("plain")),
            (json!("{{ parameters.size }}"), json!(3)),
            (json!("{{ parameters.big }}"), json!(1.5)),
            (json!("n={{ parameters.size }}"), json!("n=3")),
            (
                json!({ "a": ["{{ parameters.size + 1 }}", 7] }),
                json!({ "a": [4, 7] }),
            ),
            // What is put in is no template, and stays inside its text.
            (
                json!({ "t": "<{{ parameters.name }}>" }),
                json!({ "t": "<a\"b{{ 1 }}>" }),
            ),
            (json!("{{ steps.Build.outputs.list }}"), json!([1, 2])),
            (
                json!("{{ steps['Build'].outputs.list | tojson }}"),
                json!("[1, 2]"),
            ),
            (
                json!("{{ 'big' if parameters.size > 2 else 'small' }}"),
                json!("big"),
            ),
            (json!("{{ parameters.none | default('x') }}"), json!("x")),
            // Quoted texts and brackets hold what would end an expression.
            (
                json!("{{ 'a}}*~b' }}{{ \"\\\"}}*\" }}"),
                json!("a}}*~b\"}}*"),
            ),
            (
                json!("*{{ {'a': {'b': 1}} | tojson }}*"),
                json!("*{\"a\": {\"b\": 1}}*"),
            ),
            (json!("{{ ['a', 1] | string | upper }}"), json!("['A', 1]")),
        ] {
            assert_eq!(fill(&template, &known()).unwrap(), want, "{template}");
        }
    }

    #[test]
    fn bad_templates_are_refused_with_their_reason() {
        for (template, part) in [
            ("{{ parameters.none }}", "names nothing"),
            (
                "x{{ parameters.none }}",
                "cannot be filled: undefined value",
            ),
            ("{{ nothing.at.all }}", "cannot be filled: undefined value"),
            ("{{ 1 + }}", "cannot be filled: syntax error"),
            (
                "{% for a in range(99999) %}x{% endfor %}",
                "only expressions are taken",
            ),
            ("{% include 'x' %}", "only expressions are taken"),
            ("{{ 'x' * 100000000 }}", "multiplies"),
            ("{{ ['x'] * 100000000 | length }}", "multiplies"),
            ("{{ '}}' ~ ('x' * 100000000) }}", "multiplies"),
            ("{{ \"}}\" ~ ('x' * 100000000) }}", "multiplies"),
            ("{{ '\\'}}' ~ ('x' * 100000000) }}", "multiplies"),
            ("{{ {'a': {'b': 1}} ~ ('x' * 100000000) }}", "multiplies"),
            ("{# {{ ' #}{{ 'x' * 100000000 }}{# ' }} #}", "has comments"),
            ("{{ 'x }}", "where an expression ends"),
            ("{{ 'x' ) * 100000000 }}", "where an expression ends"),
            ("{{ 'x'", "where an expression ends"),
            (
                "{{ [1] | tojson(indent=2000000000) }}",
                "cannot be filled: too many arguments",
            ),
            ("{{ [1] | tojson(2000000000) }}", "too many arguments"),
            (
                &format!("{{{{ '\"' {} }}}}", "| tojson".repeat(100)),
                "more than the allowed",
            ),
            (
                &format!("{{{{ {}'x'{} }}}}", "[".repeat(60), "] | string".repeat(60)),
                "more than the allowed",
            ),
            (
                &format!("{{{{ [{}] }}}}", ["parameters.long"; 80].join(", ")),
                "more than the allowed",
            ),
            (
                "{{ parameters.name | replace('a', 'b') }}",
                "cannot be filled: unknown filter",
            ),
            (
                &format!("{{{{ {} }}}}", ["'x'"; 20].join("~")),
                "too much code",
            ),
            (&"{{ parameters.long }}".repeat(80), "more than the allowed"),
        ] {
            let known = known().with(
                "parameters",
                json!({ "long": "x".repeat(60_000), "name": "a" }),
            );
            let refusal = fill(&json!(template), &known).unwrap_err();
            assert!(refusal.contains(part), "{template}: {refusal}");
        }
    }

    #[test]
    fn secrets_are_found_by_name() {
        let value = json!({ "h": { "authorization": "Bearer {{ secrets.api_key }}" }, "b": ["{{ secrets.other }}", "secrets.no"] });
        let names: Vec<String> = secrets(&value).unwrap().into_iter().collect();
        assert_eq!(names, ["api_key", "other"]);
        assert!(secrets(&json!("{{ secrets. }}")).is_err());
    }
}
