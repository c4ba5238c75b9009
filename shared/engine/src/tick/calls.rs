//! Calls of plugins, many at a time: begun in one transaction, recorded in one for each execution.

use crate::calls::{self, Begun};
use crate::driver;
use crate::step::Report;
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Timestamp};
use windlass_store::queue::{self, Leased};

/// What calls need.
pub struct Calls<'a, D, O> {
    /// Where the operations are.
    pub db: &'a D,
    /// The network.
    pub outbound: &'a O,
    /// The tick's name.
    pub holder: &'a str,
    /// Whether users' URLs may lead to private addresses.
    pub allow_private: bool,
}

impl<D: Db, O> Calls<'_, D, O> {
    /// Begins calls. Answers those that run now, and those that could not begin with the reason.
    pub async fn begin(
        &self,
        rows: Vec<Leased>,
        now: Timestamp,
    ) -> (Vec<Begun>, Vec<(Leased, Error)>) {
        let error = match self.begin_together(rows.clone(), now).await {
            Ok(begun) => return (begun, Vec::new()),
            Err(error) => error,
        };
        let (mut begun, mut failed) = (Vec::new(), Vec::new());
        if rows.len() == 1 || error.kind() == Kind::Unavailable {
            failed.extend(rows.into_iter().map(|row| (row, error.clone())));
            return (begun, failed);
        }
        // One of them is broken: each alone, so that the others go on.
        for row in rows {
            match self.begin_together(vec![row.clone()], now).await {
                Ok(more) => begun.extend(more),
                Err(error) => failed.push((row, error)),
            }
        }
        (begun, failed)
    }

    async fn begin_together(&self, rows: Vec<Leased>, now: Timestamp) -> Result<Vec<Begun>> {
        let (holder, allow_private) = (self.holder, self.allow_private);
        self.db
            .transaction(async |tx| calls::begin(tx, holder, rows, allow_private, now).await)
            .await
    }

    /// Records the ends of calls of one execution, as far as their rows are still this holder's.
    pub async fn record(
        &self,
        execution_id: &str,
        reports: &[(Leased, Report)],
        now: Timestamp,
    ) -> Result<()> {
        let keys: Vec<i64> = reports.iter().map(|(row, _)| row.key).collect();
        self.db
            .transaction(async |tx| {
                // What somebody else took over in the meantime is theirs to report.
                let ours = queue::finish(tx, self.holder, &keys).await?;
                let reports: Vec<Report> = reports
                    .iter()
                    .filter(|(row, _)| ours.contains(&row.key))
                    .map(|(_, report)| report.clone())
                    .collect();
                if reports.is_empty() {
                    return Ok(());
                }
                driver::drive(tx, execution_id, reports, now)
                    .await
                    .map(drop)
            })
            .await
    }
}
