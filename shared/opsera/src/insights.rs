//! How well an account delivers: the four measures of the DORA reports, from runs of pipelines, executions
//! on deployments, and incidents of the status page.
//!
//! A *deployment* is a run that succeeded of a pipeline that delivers, or an `install` or `update` of a
//! deployment that terminated and that no pipeline started. The *lead time* is known where a push told when
//! its commit was made. A failure is *restored* by the pipeline's next success, or, for what the
//! status page follows, with the incident that it was. What a deployment belongs to says the property
//! `project` of its pipeline, or its label `project`.

pub mod bands;
mod chart;
mod export;
mod sql;

pub use chart::chart;
pub use export::csv;
pub use sql::Metric;

use crate::access::Asker;
use crate::directory::LEVELS;
use crate::rows::Paging;
use bands::{Band, Measure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use windlass_core::db::{Db, Value};
use windlass_core::{Error, Request, Result, Timestamp, params};
use windlass_store::pieces::batches;

/// How many days are looked at where nobody says.
const USUAL_DAYS: i64 = 30;

/// The longest period, in days.
const MOST_DAYS: i64 = 3660;

const DAY: i64 = 86_400_000;

/// The most groups of one answer.
const MOST_GROUPS: usize = 1000;

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The first day.
    pub from: Timestamp,
    /// The day after the last.
    pub to: Timestamp,
    /// By what the numbers are told apart: `project` or a level; nothing for one number of all.
    pub by: Option<&'static str>,
    /// What is looked at alone: `project` or a level, and its name.
    pub only: Vec<(&'static str, String)>,
}

impl Question {
    /// Reads `from`, `to` (days), `by`, and the names to look at alone.
    ///
    /// # Errors
    /// 400 naming what is wrong.
    pub fn of(request: &Request, now: Timestamp) -> Result<Self> {
        let refuse = |name: &str, text: &str| {
            Error::bad_parameters(format!("{name} {text}")).field(name, text.to_owned())
        };
        let day = |name: &str| match request.query_value(name) {
            None => Ok(None),
            Some(text) => Timestamp::parse(name, text)
                .ok()
                .filter(|_| text.len() == 10)
                .map(Some)
                .ok_or_else(|| refuse(name, "must be a day as YYYY-MM-DD")),
        };
        let today = Timestamp::from_millis(now.millis().div_euclid(DAY) * DAY);
        let to = day("to")?.unwrap_or(today).plus_seconds(86_400);
        let from = day("from")?.unwrap_or_else(|| to.plus_seconds(-USUAL_DAYS * 86_400));
        let days = (to.millis() - from.millis()) / DAY;
        if !(1..=MOST_DAYS).contains(&days) {
            return Err(refuse("from", "must be before to, by ten years at most"));
        }
        let kinds = || ["project"].into_iter().chain(LEVELS);
        let by = match request.query_value("by") {
            None | Some("") => None,
            Some(name) => Some(kinds().find(|kind| *kind == name).ok_or_else(|| {
                let known = kinds().collect::<Vec<_>>().join(", ");
                refuse("by", &format!("must be one of {known}"))
            })?),
        };
        let only = kinds().filter_map(|kind| Some((kind, request.query_value(kind)?.to_owned())));
        Ok(Self {
            from,
            to,
            by,
            only: only.collect(),
        })
    }

    /// How many days it is about.
    pub fn days(&self) -> i64 {
        (self.to.millis() - self.from.millis()) / DAY
    }

    /// The parameters of all statements: account, the period in numbers and in text, then the names.
    fn values(&self, asker: &Asker) -> Vec<Value> {
        let mut values = params![
            asker.account(),
            self.from.millis(),
            self.to.millis(),
            self.from,
            self.to
        ]
        .to_vec();
        values.extend(self.only.iter().map(|(_, name)| Value::from(name)));
        values
    }
}

/// The measures of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measures {
    /// What the group is called; nothing for what belongs to none, or for all.
    pub group: Option<String>,
    /// How many deployments there were.
    pub deployments: i64,
    /// How many failed.
    pub failures: i64,
    /// Deployments a day.
    pub deployment_frequency: Option<Told>,
    /// Median of the seconds from commit to deployment.
    pub lead_time: Option<Told>,
    /// Failures among all.
    pub change_failure_rate: Option<Told>,
    /// Median of the seconds until a failure was restored.
    pub time_to_restore: Option<Told>,
}

/// A number, and in which band of the reports it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// The number.
    pub value: f64,
    /// The band.
    pub band: Band,
}

impl Told {
    fn of(measure: Measure, value: f64) -> Self {
        // What clients read need not have more digits than it means.
        let value = (value * 10_000.0).round() / 10_000.0;
        Self {
            band: measure.band(value),
            value,
        }
    }
}

/// What a pipeline, or what is like it, adds to a group.
#[derive(Deserialize)]
struct Part {
    project: Option<String>,
    good: i64,
    bad: i64,
    #[serde(default)]
    leads: Option<String>,
    #[serde(default)]
    restores: Option<String>,
}

/// What a group has come to.
#[derive(Default)]
struct Sum {
    good: i64,
    bad: i64,
    leads: Vec<i64>,
    restores: Vec<i64>,
}

impl Sum {
    fn add(&mut self, part: &Part) {
        self.good += part.good;
        self.bad += part.bad;
        self.leads.extend(seconds(part.leads.as_deref()));
        self.restores.extend(seconds(part.restores.as_deref()));
    }

    fn measures(self, group: Option<String>, days: i64) -> Measures {
        #[allow(clippy::cast_precision_loss, reason = "numbers of runs and days")]
        let (good, bad, days) = (self.good as f64, self.bad as f64, days as f64);
        let rate = (good + bad > 0.0).then(|| bad / (good + bad));
        Measures {
            group,
            deployments: self.good,
            failures: self.bad,
            deployment_frequency: Some(Told::of(Measure::Frequency, good / days)),
            lead_time: median(self.leads).map(|lead| Told::of(Measure::LeadTime, lead)),
            change_failure_rate: rate.map(|rate| Told::of(Measure::FailureRate, rate)),
            time_to_restore: median(self.restores).map(|time| Told::of(Measure::Restore, time)),
        }
    }
}

/// Numbers with commas between them.
fn seconds(list: Option<&str>) -> impl Iterator<Item = i64> {
    let parts = list.unwrap_or_default().split(',');
    parts.filter_map(|number| number.parse().ok())
}

/// The middle of some numbers; of an even count that of the two in the middle.
fn median(mut numbers: Vec<i64>) -> Option<f64> {
    let place = numbers.len().checked_sub(1)? / 2;
    let is_even = numbers.len().is_multiple_of(2);
    let (_, low, above) = numbers.select_nth_unstable(place);
    let high = if is_even {
        above.iter().min().copied()
    } else {
        None
    };
    let sum = *low + high.unwrap_or(*low);
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    let middle = sum as f64 / 2.0;
    Some(middle)
}

/// The levels of projects, as far as the question is about levels.
async fn levels(
    db: &impl Db,
    asker: &Asker,
    question: &Question,
    parts: &[Part],
) -> Result<BTreeMap<String, Map<String, Json>>> {
    #[derive(Deserialize)]
    struct Of {
        project: String,
        levels: Map<String, Json>,
    }
    let mut kinds = question
        .by
        .iter()
        .chain(question.only.iter().map(|(kind, _)| kind));
    let mut known = BTreeMap::new();
    if kinds.all(|kind| *kind == "project") {
        return Ok(known);
    }
    let ids: BTreeSet<&str> = parts
        .iter()
        .filter_map(|part| part.project.as_deref())
        .collect();
    for batch in batches(ids) {
        let values = params![asker.account(), batch?];
        for of in db.json_rows::<Of>(sql::LEVELS, values).await? {
            known.insert(of.project, of.levels);
        }
    }
    Ok(known)
}

/// The measures of all groups, those with most deployments first; without `by` one of all.
///
/// # Errors
/// Of the database.
pub async fn measures(db: &impl Db, asker: &Asker, question: &Question) -> Result<Vec<Measures>> {
    let values = params![
        asker.account(),
        question.from.millis(),
        question.to.millis(),
        question.from,
        question.to
    ];
    let period = values.get(..3).unwrap_or_default();
    let mut parts: Vec<Part> = db.json_rows(sql::PIPELINES, period).await?;
    parts.extend(db.json_rows::<Part>(&sql::executions(), values).await?);
    parts.extend(db.json_rows::<Part>(&sql::incidents(), values).await?);
    let known = levels(db, asker, question, &parts).await?;
    let name_of = |part: &Part, kind: &str| -> Option<String> {
        let project = part.project.as_ref()?;
        match kind {
            "project" => Some(project.clone()),
            level => known.get(project)?.get(level)?.as_str().map(str::to_owned),
        }
    };
    let mut groups: BTreeMap<Option<String>, Sum> = BTreeMap::new();
    for part in &parts {
        let is_wanted = question
            .only
            .iter()
            .all(|(kind, name)| name_of(part, kind).is_some_and(|found| found == *name));
        if is_wanted {
            let group = question.by.and_then(|kind| name_of(part, kind));
            groups.entry(group).or_default().add(part);
        }
    }
    let mut all: Vec<Measures> = groups
        .into_iter()
        .map(|(group, sum)| sum.measures(group, question.days()))
        .collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.deployments));
    all.truncate(MOST_GROUPS);
    if all.is_empty() && question.by.is_none() {
        all.push(Measures::default());
    }
    Ok(all)
}

/// The answer as JSON.
pub fn told(question: &Question, measures: &[Measures]) -> Json {
    let last = question.to.plus_seconds(-86_400);
    json!({
        "from": question.from.format("%Y-%m-%d"), "to": last.format("%Y-%m-%d"),
        "days": question.days(), "by": question.by, "bands": bands::SOURCE,
        "count": measures.len(), "data": measures,
    })
}

/// What is behind a number, newest first, as JSON texts.
///
/// # Errors
/// Of the database.
pub async fn list(
    db: &impl Db,
    asker: &Asker,
    question: &Question,
    metric: Metric,
    paging: Paging,
) -> Result<String> {
    let mut values = question.values(asker);
    let sql = sql::list(question, metric, values.len());
    values.extend_from_slice(params![paging.limit, paging.offset]);
    let rows = db.query(&sql, &values).await?;
    let items = rows
        .iter()
        .map(|row| row.text(0))
        .collect::<Result<Vec<_>>>()?;
    Ok(format!(
        "{{\"count\": {}, \"data\": [{}]}}",
        items.len(),
        items.join(", ")
    ))
}

/// What happened on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct DayCount {
    /// The day, counted from the first.
    pub day: i64,
    /// Deployments.
    pub good: i64,
    /// Failures.
    pub bad: i64,
}

/// Deployments and failures of each day that had some.
///
/// # Errors
/// Of the database.
pub async fn days(db: &impl Db, asker: &Asker, question: &Question) -> Result<Vec<DayCount>> {
    let values = question.values(asker);
    db.json_rows(&sql::days(question), &values).await
}

#[cfg(test)]
#[path = "insights/tests.rs"]
mod tests;
