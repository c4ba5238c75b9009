//! Inspection of the whole store: whether it can be read, whether the numbers that triggers keep are
//! true, and whether something was left behind. For whoever runs the application.
//!
//! It goes in steps, and one that has worked for a while answers where to go on, so that requests end
//! in time however large the store is. Looking only reads, and readers keep no writer waiting. What is
//! mended is mended by what it is off: however many rows come and go meanwhile, that stays the same.

mod left_over;
mod tables;

use crate::counts;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use windlass_core::db::Db;
use windlass_core::list::Counts;
use windlass_core::{Result, Timestamp, params};

/// How long one call goes on beginning with something else.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many names are read at a time.
const NAMES_AT_ONCE: usize = 1000;

/// Where an inspection begins or goes on. The default is its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The number of the step.
    pub step: usize,
    /// The last name, of a table or a tenant, that the step is done with.
    pub after: String,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is wrong, and where.
    pub text: String,
    /// Whether it was mended.
    pub is_mended: bool,
}

/// What a call has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was looked at.
    pub inspected: String,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// Where to go on; none at the end.
    pub next: Option<Place>,
}

/// What is looked at in one step.
#[derive(Clone, Copy)]
enum Step {
    Tables,
    Counts(&'static Counts),
    Blobs,
    Queue,
    PlanParts,
}

/// The steps in their order.
fn steps() -> impl Iterator<Item = Step> {
    let counts = counts::ALL.iter().copied().map(Step::Counts);
    std::iter::once(Step::Tables)
        .chain(counts)
        .chain([Step::Blobs, Step::Queue, Step::PlanParts])
}

impl Step {
    fn name(self) -> String {
        match self {
            Self::Tables => "the tables".to_owned(),
            Self::Counts(counts) => format!("the numbers of `{}`", counts.name),
            Self::Blobs => "blobs that are nobody's".to_owned(),
            Self::Queue => "the queue".to_owned(),
            Self::PlanParts => "parts of plans".to_owned(),
        }
    }
}

/// Looks at the store from this place on, for a short while, and mends what can be mended if it is
/// asked to. A place after the last step finds nothing.
pub async fn inspect(db: &impl Db, place: &Place, mends: bool, now: Timestamp) -> Result<Report> {
    let Some(step) = steps().nth(place.step) else {
        return Ok(Report {
            inspected: "nothing".to_owned(),
            findings: Vec::new(),
            next: None,
        });
    };
    let mut findings = Vec::new();
    let last = match step {
        Step::Tables => tables::inspect(db, &place.after, &mut findings).await?,
        Step::Counts(counts) => numbers(db, counts, &place.after, mends, &mut findings).await?,
        Step::Blobs => {
            left_over::blobs(db, mends, now, &mut findings).await?;
            None
        }
        Step::Queue => {
            left_over::queue(db, mends, now, &mut findings).await?;
            None
        }
        Step::PlanParts => {
            left_over::plan_parts(db, mends, &mut findings).await?;
            None
        }
    };
    let (step, after) = match last {
        Some(name) => (place.step, name),
        None => (place.step + 1, String::new()),
    };
    Ok(Report {
        inspected: steps().nth(place.step).map(Step::name).unwrap_or_default(),
        findings,
        next: (step < steps().count()).then_some(Place { step, after }),
    })
}

/// What one call does with names: those after `after`, until it has taken long enough. Answers the last one,
/// if there may be more.
async fn each_name(
    db: &impl Db,
    names: &str,
    of: &str,
    after: &str,
    mut work: impl AsyncFnMut(&str) -> Result<()>,
) -> Result<Option<String>> {
    let begun = Instant::now();
    let rows = db.query(names, params![after, of, NAMES_AT_ONCE]).await?;
    let mut last = None;
    for row in &rows {
        let name = row.text(0)?;
        work(name).await?;
        last = Some(name.to_owned());
        if begun.elapsed() > PATIENCE {
            return Ok(last);
        }
    }
    Ok(last.filter(|_| rows.len() == NAMES_AT_ONCE))
}

/// The tenants there are, and those that only numbers are about.
const TENANTS: &str = "select name from (select name from tenants
         union select tenant_name from row_counts where counts = ?2)
     where name > ?1 order by name limit ?3";

/// Compares the numbers of `row_counts` with the rows, one tenant after the other.
async fn numbers(
    db: &impl Db,
    counts: &Counts,
    after: &str,
    mends: bool,
    findings: &mut Vec<Finding>,
) -> Result<Option<String>> {
    if !counts.of_tenant {
        compare(db, counts, None, mends, findings).await?;
        return Ok(None);
    }
    each_name(db, TENANTS, counts.name, after, async |tenant| {
        compare(db, counts, Some(tenant), mends, findings).await
    })
    .await
}

async fn compare(
    db: &impl Db,
    counts: &Counts,
    tenant: Option<&str>,
    mends: bool,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    for difference in counts::differences(db, counts, tenant).await? {
        if mends {
            counts::mend(db, &difference).await?;
        }
        findings.push(Finding {
            text: difference.to_string(),
            is_mended: mends,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
