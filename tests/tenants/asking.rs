//! Ways to ask for what is somebody else's, and to see whether the answers give it away.

use std::collections::BTreeSet;
use windlass_tests::{Answer, Caller, Endpoint, Things, Value};

/// Averages over what a tenant has: they name nothing and count no items, so what they are made of has a
/// story of its own.
pub const AVERAGES: &str = "metrics.overview";

/// Rows about a tenant's things that name one, in path, query or body.
pub fn rows_about_things() -> Vec<Endpoint> {
    let mut rows = Endpoint::served();
    rows.retain(|row| row.is_of_tenants() && !row.parameters().is_empty());
    assert!(rows.len() > 40, "only {} rows", rows.len());
    rows
}

/// Rows that list what a tenant has.
pub fn lists() -> Vec<Endpoint> {
    let mut rows = Endpoint::served();
    rows.retain(|row| row.method == "GET" && row.is_of_tenants() && !row.path.contains(['{', '?']));
    assert!(rows.len() > 6, "only {} rows", rows.len());
    rows
}

/// The same, of which a tenant with [`Things`] has something.
pub fn filled_lists() -> Vec<Endpoint> {
    let mut rows = lists();
    rows.retain(|row| !row.lists_what_comes_later() && row.id != AVERAGES);
    rows
}

/// Requests whose answers differ between these things and nothing at all. `last` is one more
/// way to ask.
pub fn tell_apart(caller: Caller<'_>, things: &Things, last: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in rows_about_things() {
        // Whoever gives a name of their own to something new asks for nothing of others.
        if row.names_new().is_some() && row.parameters().len() == 1 {
            continue;
        }
        for query in [
            "",
            last,
            "_include=id",
            "force=true",
            "_evaluate_functions=true",
        ] {
            let others = send(caller, &row, &|name| things.value(name), query);
            let nothing = send(caller, &row, &|name| things.no_value(name), query);
            let told = things.forget(&text(&others));
            if (others.status, told) != (nothing.status, text(&nothing)) {
                wrong.push(format!(
                    "{} {query}: {}\n    but {}",
                    row.id,
                    shown(&others),
                    shown(&nothing)
                ));
            }
        }
    }
    wrong
}

/// Requests of lists that show something of these things, or count it. Fields and values are
/// those that the owner sees; `also` are further parameters.
pub fn search_lists(
    owner: Caller<'_>,
    caller: Caller<'_>,
    things: &Things,
    also: &[&str],
) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in lists() {
        let mut queries: BTreeSet<String> = [
            "",
            "_get_all_results=true",
            "_size=1&_offset=0",
            "_size=0",
            "_search=a",
            "_search=%25",
            "_sort=label:harbour-key",
            "_search_name=d",
            "_reserved=true",
            "_get_data=true",
            "include_logs=true",
            "_include_system_workflows=true",
            "tenant_name=harbour",
        ]
        .map(str::to_owned)
        .into();
        for name in [
            "id",
            "deployment_id",
            "blueprint_id",
            "execution_id",
            "_search",
            "_dependencies_of",
        ] {
            for value in [
                "blueprint_id",
                "deployment_id",
                "execution_id",
                "node_instance_id",
            ] {
                queries.insert(format!("{name}={}", things.value(value)));
            }
        }
        let owned = json(&ask(owner, &row.path, ""));
        for (field, value) in owned["items"][0].as_object().into_iter().flatten() {
            queries.insert(format!("_include={field}"));
            queries.insert(format!("_sort={field}"));
            let value = value.as_str().map(encoded);
            let filter = value.map_or(String::new(), |value| format!("{field}={value}&"));
            queries.insert(format!("{filter}_sort=-{field}"));
        }
        for query in &queries {
            for also in also {
                let answer = ask(caller, &row.path, &format!("{query}{also}"));
                let list = json(&answer);
                let count = list["items"].as_array().map(Vec::len);
                let total = list["metadata"]["pagination"]["total"].as_u64();
                let is_page = query.contains("_size=") || row.id == AVERAGES;
                let is_right = match answer.status {
                    200 => {
                        !things.are_in(&text(&answer))
                            && (is_page || total == count.map(|n| n as u64))
                    }
                    // What was asked for may come back in a refusal.
                    400 | 403 | 404 => true,
                    _ => false,
                };
                if !is_right {
                    wrong.push(format!("{} {query}{also}: {}", row.id, shown(&answer)));
                }
            }
        }
    }
    wrong
}

/// Reads that do not show these things to somebody who sees them.
pub fn look_at(caller: Caller<'_>, things: &Things) -> Vec<String> {
    let mut wrong = Vec::new();
    // What a workflow asks with its own token is for it and for who may change how executions stand.
    let is_looked_at =
        |row: &&Endpoint| row.method == "GET" && row.id != "executions.sent_operations";
    for row in rows_about_things().iter().filter(is_looked_at) {
        let answer = send(caller, row, &|name| things.value(name), "");
        if !row.success.contains(&answer.status) {
            wrong.push(format!("{}: {}", row.id, shown(&answer)));
        }
    }
    for row in filled_lists() {
        let answer = ask(caller, &row.path, "");
        if answer.status != 200 || !things.are_in(&text(&answer)) {
            wrong.push(format!("{} lacks it: {}", row.id, shown(&answer)));
        }
    }
    wrong
}

/// All that the lists of a tenant show, as text.
pub fn inventory(caller: Caller<'_>) -> Vec<String> {
    let show = |row: Endpoint| format!("{} {}", row.id, text(&ask(caller, &row.path, "")));
    lists().into_iter().map(show).collect()
}

/// Does the same as each of several callers, at the same time.
pub fn with_each(
    callers: &[Caller<'_>],
    work: impl Fn(Caller<'_>) -> Vec<String> + Sync,
) -> Vec<String> {
    std::thread::scope(|scope| {
        let work = &work;
        let all: Vec<_> = callers
            .iter()
            .map(|caller| scope.spawn(move || (caller.name(), work(*caller))))
            .collect();
        let told = all.into_iter().flat_map(|one| {
            let (name, wrong) = one.join().expect("an end");
            wrong
                .into_iter()
                .map(move |line| format!("as {name}: {line}"))
        });
        told.collect()
    })
}

/// Calls a row with the value of each parameter, and more in its query.
pub fn send(
    caller: Caller<'_>,
    row: &Endpoint,
    value: &dyn Fn(&str) -> String,
    query: &str,
) -> Answer {
    let mut request = row.request(caller, value);
    request.path = with_query(&request.path, query);
    caller.send(&request)
}

/// Reads.
pub fn ask(caller: Caller<'_>, path: &str, query: &str) -> Answer {
    caller.send(&caller.compose("GET", &with_query(path, query), None, None))
}

fn with_query(path: &str, query: &str) -> String {
    let separator = if path.contains('?') { "&" } else { "?" };
    match query.trim_start_matches('&') {
        "" => path.to_owned(),
        query => format!("{path}{separator}{query}"),
    }
}

fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    let one = |b: u8| {
        if plain(b) {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    text.bytes().map(one).collect()
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// The body as text.
pub fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// An answer, for a failure's message.
pub fn shown(answer: &Answer) -> String {
    format!(
        "{} {}",
        answer.status,
        text(answer).chars().take(300).collect::<String>()
    )
}
