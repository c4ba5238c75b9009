//! What an event is, and how bad.

windlass_core::named_enum! {
    /// What an event is.
    pub enum EventKind {
        /// Something does not work.
        Incident = "incident",
        /// Work that was announced, with a beginning and an end.
        Maintenance = "maintenance",
        /// Something worth knowing.
        Info = "info",
    }
}

/// What impacts are called, by their number.
const IMPACTS: [&str; 4] = ["maintenance", "minor", "major", "outage"];

/// The impacts of what does not work; 0 is of what was planned.
pub const BAD: std::ops::RangeInclusive<i64> = 1..=3;

/// An impact by its name, in any case.
pub fn impact_named(name: &str) -> Option<i64> {
    let place = (IMPACTS.iter()).position(|known| known.eq_ignore_ascii_case(name))?;
    i64::try_from(place).ok()
}

/// What an impact is called.
pub fn impact_name(impact: i64) -> &'static str {
    let place = usize::try_from(impact).unwrap_or(usize::MAX);
    IMPACTS.get(place).copied().unwrap_or("unknown")
}
