//! Ninety days of a component as bars, one a day: a small picture that is made here.
//!
//! Days of one state that follow each other are one line, dashed by the style sheet into bars, and
//! all quiet days are one path. So a component without incidents costs some hundred bytes. The
//! bars of days with an incident are taller, for those who do not see their colour, and say on
//! hovering what happened. The picture is hidden from screen readers, which read the text under it.

use super::states::label;
use super::times::{day_name, duration};
use maud::{Markup, html};
use std::fmt::Write as _;
use windlass_status::overview::State;

/// How many days are shown, today among them.
pub const DAYS: i64 = 90;

/// The width of a bar and of what it takes with its gap; the style sheet's dashes are the same.
const BAR: usize = 4;
const STEP: usize = 6;

/// How a component was on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// The worst of the day; nothing when it was not listed yet.
    pub state: Option<State>,
    /// How long it was in that state, in seconds, unless it was available.
    pub seconds: i64,
}

/// Days of the same state that follow each other.
struct Run {
    state: Option<State>,
    first: usize,
    last: usize,
    seconds: i64,
}

impl Run {
    /// A line through the middle, from the first bar's left edge to the last one's right.
    fn line(&self) -> String {
        let (from, to) = (self.first * STEP, self.last * STEP + BAR);
        format!("M{from} 16H{to}")
    }

    fn title(&self, state: State, first_day: i64) -> String {
        let day = |index: usize| day_name(first_day + i64::try_from(index).unwrap_or_default());
        let mut title = day(self.first);
        if self.last > self.first {
            let _ = write!(title, " – {}", day(self.last));
        }
        let _ = write!(title, ": {}, {}", label(state), duration(self.seconds));
        title
    }
}

/// The picture. `first_day` is the first of `days`, in days since 1970.
pub fn bars(days: &[Day], first_day: i64) -> Markup {
    let runs = runs(days);
    let joined = |state: Option<State>| -> String {
        let same = runs.iter().filter(|run| run.state == state);
        same.map(Run::line).collect()
    };
    let (unknown, quiet) = (joined(None), joined(Some(State::Available)));
    let width = days.len() * STEP - (STEP - BAR).min(days.len());
    html! {
        svg.bars aria-hidden="true" preserveAspectRatio="none" viewBox={ "0 0 " (width) " 32" } {
            @if !unknown.is_empty() { path.unknown d=(unknown) {} }
            @if !quiet.is_empty() { path d=(quiet) {} }
            @for run in &runs {
                @if let Some(state) = run.state && state != State::Available {
                    path.(state.name()) d=(run.line()) { title { (run.title(state, first_day)) } }
                }
            }
        }
    }
}

fn runs(days: &[Day]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (index, day) in days.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if run.state == day.state => {
                run.last = index;
                run.seconds += day.seconds;
            }
            _ => runs.push(Run {
                state: day.state,
                first: index,
                last: index,
                seconds: day.seconds,
            }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(state: Option<State>, seconds: i64) -> Day {
        Day { state, seconds }
    }

    #[test]
    fn days_of_one_state_are_one_line_and_quiet_ones_one_path() {
        let quiet = day(Some(State::Available), 0);
        let days = [
            day(None, 0),
            quiet,
            quiet,
            day(Some(State::Outage), 3600),
            day(Some(State::Outage), 1800),
            quiet,
        ];
        let text = bars(&days, 20_000).into_string();
        assert!(text.contains(r#"viewBox="0 0 34 32""#), "{text}");
        assert!(
            text.contains(r#"<path class="unknown" d="M0 16H4"></path>"#),
            "{text}"
        );
        assert!(text.contains(r#"<path d="M6 16H16M30 16H34">"#), "{text}");
        assert!(
            text.contains(r#"<path class="outage" d="M18 16H28"><title>"#),
            "{text}"
        );
        assert!(
            text.contains("7 Oct 2024 – 8 Oct 2024: Outage, 1 h 30 min"),
            "{text}"
        );
    }

    #[test]
    fn no_days_are_no_bars() {
        assert!(bars(&[], 0).into_string().contains(r#"viewBox="0 0 0 32""#));
    }
}
