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
pub const IMPACTS: [&str; 4] = ["maintenance", "minor", "major", "outage"];

/// What an impact is called.
pub fn impact_name(impact: i64) -> &'static str {
    let place = usize::try_from(impact).unwrap_or(usize::MAX);
    IMPACTS.get(place).copied().unwrap_or("unknown")
}
