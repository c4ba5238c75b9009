//! The bands of the published DORA reports: how good a number is.

use serde::Serialize;

/// Where the borders are from.
pub const SOURCE: &str = "Accelerate State of DevOps 2023";

/// How good a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the words of the reports")]
pub enum Band {
    Elite,
    High,
    Medium,
    Low,
}

impl Band {
    /// The word of the reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Elite => "elite",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Deployments a day.
    Frequency,
    /// Seconds from commit to deployment.
    LeadTime,
    /// Failures among all deployments, from 0 to 1.
    FailureRate,
    /// Seconds until a failure was restored.
    Restore,
}

const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;
const WEEK: f64 = 7.0 * DAY;
const MONTH: f64 = 30.0 * DAY;

impl Measure {
    /// The band of a number. What is on a border is in the better one.
    pub fn band(self, value: f64) -> Band {
        let below = |[elite, high, medium]: [f64; 3]| match value {
            value if value <= elite => Band::Elite,
            value if value <= high => Band::High,
            value if value <= medium => Band::Medium,
            _ => Band::Low,
        };
        match self {
            // On demand; at least once a week; at least once a month.
            Self::Frequency if value >= 1.0 => Band::Elite,
            // Rounded numbers stand on the borders, too.
            Self::Frequency if value >= 0.1428 => Band::High,
            Self::Frequency if value >= 0.0333 => Band::Medium,
            Self::Frequency => Band::Low,
            Self::LeadTime => below([DAY, WEEK, MONTH]),
            Self::FailureRate => below([0.05, 0.10, 0.15]),
            Self::Restore => below([HOUR, DAY, WEEK]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_the_bands_of_the_reports() {
        for (measure, value, band) in [
            (Measure::Frequency, 3.0, Band::Elite),
            (Measure::Frequency, 1.0, Band::Elite),
            (Measure::Frequency, 0.5, Band::High),
            (Measure::Frequency, 1.0 / 7.0, Band::High),
            (Measure::Frequency, 0.1, Band::Medium),
            (Measure::Frequency, 0.0, Band::Low),
            (Measure::LeadTime, DAY, Band::Elite),
            (Measure::LeadTime, 2.0 * DAY, Band::High),
            (Measure::LeadTime, MONTH + 1.0, Band::Low),
            (Measure::FailureRate, 0.0, Band::Elite),
            (Measure::FailureRate, 0.12, Band::Medium),
            (Measure::FailureRate, 0.64, Band::Low),
            (Measure::Restore, HOUR, Band::Elite),
            (Measure::Restore, 2.0 * HOUR, Band::High),
            (Measure::Restore, WEEK + 1.0, Band::Low),
        ] {
            assert_eq!(measure.band(value), band, "{measure:?} {value}");
        }
    }
}
