//! Deployments and failures over the period, as a picture that needs no script and no font of its own.

use super::{DayCount, Measures, Question, Told};
use maud::{Markup, PreEscaped, html};

/// The most bars.
const BARS: i64 = 60;

const WIDTH: i64 = 720;
const HEIGHT: i64 = 260;
/// Where the bars stand, and how high the highest is.
const FLOOR: i64 = 220;
const TALLEST: i64 = 140;

/// An SVG: a bar for each day, or for as many days as make no more than sixty; what failed stands on top.
pub fn chart(question: &Question, measures: &[Measures], days: &[DayCount]) -> String {
    let each = (question.days() + BARS - 1) / BARS;
    let count = (question.days() + each - 1) / each;
    let mut bars = vec![(0_i64, 0_i64); usize::try_from(count).unwrap_or(0)];
    for day in days {
        let place = usize::try_from(day.day / each).unwrap_or(usize::MAX);
        if let Some(bar) = bars.get_mut(place) {
            bar.0 += day.good;
            bar.1 += day.bad;
        }
    }
    let most = bars
        .iter()
        .map(|(good, bad)| good + bad)
        .max()
        .unwrap_or(0)
        .max(1);
    let (good, bad) = bars
        .iter()
        .fold((0, 0), |sum, bar| (sum.0 + bar.0, sum.1 + bar.1));
    let last = question.to.plus_seconds(-86_400);
    let period = format!(
        "{} to {}",
        question.from.format("%Y-%m-%d"),
        last.format("%Y-%m-%d")
    );
    let title = format!("Deployments {period}: {good}, failures: {bad}");
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) {
            title { (title) }
            rect width=(WIDTH) height=(HEIGHT) fill="#ffffff" {}
            text x="20" y="28" font-family="sans-serif" font-size="16" fill="#1a1a1a" { (title) }
            (summary(measures))
            @for (place, (good, bad)) in (0_i64..).zip(&bars) { (bar(place, count, *good, *bad, most)) }
            line x1="20" x2=(WIDTH - 20) y1=(FLOOR) y2=(FLOOR) stroke="#555555" {}
            text x="20" y=(FLOOR + 22) font-family="sans-serif" font-size="12" fill="#444444" {
                (format!("{each} day(s) a bar, {most} at most"))
            }
        }
    };
    svg.into_string()
}

/// The measures in words, where there is one group.
fn summary(measures: &[Measures]) -> Markup {
    let [one] = measures else {
        return PreEscaped(String::new());
    };
    let told = |name: &str, told: &Option<Told>, unit: &str| match told {
        Some(told) => format!("{name}: {} {unit} ({})", told.value, told.band.name()),
        None => format!("{name}: unknown"),
    };
    let texts = [
        told("frequency", &one.deployment_frequency, "a day"),
        told("lead time", &one.lead_time, "s"),
        told("failure rate", &one.change_failure_rate, ""),
        told("restore", &one.time_to_restore, "s"),
    ];
    html! {
        text x="20" y="50" font-family="sans-serif" font-size="12" fill="#444444" { (texts.join("; ")) }
    }
}

fn bar(place: i64, count: i64, good: i64, bad: i64, most: i64) -> Markup {
    let step = (WIDTH - 40) / count.max(1);
    let (x, width) = (20 + place * step, (step - 2).max(1));
    let (tall_good, tall_bad) = (good * TALLEST / most, bad * TALLEST / most);
    html! {
        @if good > 0 { rect x=(x) y=(FLOOR - tall_good) width=(width) height=(tall_good) fill="#1b6e3c" {} }
        @if bad > 0 {
            rect x=(x) y=(FLOOR - tall_good - tall_bad) width=(width) height=(tall_bad) fill="#b3261e" {}
        }
    }
}
