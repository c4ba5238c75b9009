//! The measures as CSV, for spreadsheets.

use super::{Measures, Told};
use windlass_core::{Error, Result, spreadsheet};

const HEAD: [&str; 11] = [
    "group",
    "deployments",
    "failures",
    "deployments_per_day",
    "deployment_frequency_band",
    "lead_time_seconds",
    "lead_time_band",
    "change_failure_rate",
    "change_failure_rate_band",
    "time_to_restore_seconds",
    "time_to_restore_band",
];

/// A line for each group. What is not known is empty.
///
/// # Errors
/// Internal only.
pub fn csv(measures: &[Measures]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEAD).map_err(Error::internal)?;
    for one in measures {
        let mut line = vec![
            spreadsheet::cell(one.group.as_deref().unwrap_or_default()).into_owned(),
            one.deployments.to_string(),
            one.failures.to_string(),
        ];
        for told in [
            &one.deployment_frequency,
            &one.lead_time,
            &one.change_failure_rate,
            &one.time_to_restore,
        ] {
            line.extend(cells(told.as_ref()));
        }
        writer.write_record(line).map_err(Error::internal)?;
    }
    writer
        .into_inner()
        .map_err(|error| Error::internal(error.to_string()))
}

fn cells(told: Option<&Told>) -> [String; 2] {
    told.map_or_else(Default::default, |told| {
        [told.value.to_string(), told.band.name().to_owned()]
    })
}
