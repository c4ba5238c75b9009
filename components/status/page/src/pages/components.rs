//! The components on the status page: grouped by category, each with its state and its ninety days.

use crate::view::{self, DAYS, Day, Picture};
use maud::{Markup, html};
use std::collections::BTreeMap;
use windlass_core::db::Db;
use windlass_core::{Result, Scope, Timestamp};
use windlass_status::availability::{self, Days, day_of, start_of};
use windlass_status::overview::{self, Current, Event, Listed, State};
use windlass_status::probes;

/// What happened to components in the last [`DAYS`] days.
pub struct Past {
    first_day: i64,
    days: BTreeMap<i64, Days>,
    incidents: BTreeMap<i64, i64>,
    /// The components whose response times are measured.
    charted: Vec<i64>,
}

impl Past {
    /// Reads what happened until now.
    pub async fn read(db: &impl Db, now: Timestamp) -> Result<Self> {
        let today = day_of(now);
        let first_day = today - DAYS + 1;
        let days = availability::days(db, first_day, today, now).await?;
        let incidents =
            overview::incidents_since(db, &Scope::public(), start_of(first_day), now).await?;
        let charted = probes::charted(db).await?;
        Ok(Self {
            first_day,
            charted,
            days: days
                .into_iter()
                .map(|days| (days.component, days))
                .collect(),
            incidents,
        })
    }

    /// The days of a component, and how they are told in words.
    fn of(&self, component: &Listed, now: Timestamp) -> (Vec<Day>, String) {
        let days = self.days.get(&component.id);
        let days = days.map_or(&[][..], |days| days.days.as_slice());
        // What was recorded before a component was listed counts all the same.
        let touched = days.iter().position(|day| day.worst().is_some());
        let listed = usize::try_from(day_of(component.created_at) - self.first_day).unwrap_or(0);
        let known = touched.map_or(listed, |touched| touched.min(listed));
        let bars = days.iter().enumerate().map(|(index, day)| {
            let worst = day.worst();
            let seconds = worst.and_then(|impact| day.seconds.get(impact));
            Day {
                state: match worst {
                    Some(impact) => Some(State::of_impact(i64::try_from(impact).unwrap_or(0))),
                    None => (index >= known).then_some(State::Available),
                },
                seconds: seconds.copied().map_or(0, i64::from),
            }
        });
        let down: i64 = days.iter().map(availability::Day::outage).sum();
        let first_known = self.first_day + i64::try_from(known).unwrap_or(0);
        let whole = (now.millis() - start_of(first_known).millis()) / 1000;
        let told = self.first_day + DAYS - first_known;
        let incidents = self.incidents.get(&component.id).copied().unwrap_or(0);
        (bars.collect(), in_words(down, whole, told, incidents))
    }
}

/// `99.98 % over 90 days, 2 incidents`.
fn in_words(down: i64, whole: i64, days: i64, incidents: i64) -> String {
    let of_days = match days {
        ..=1 => "today".to_owned(),
        days => format!("over {days} days"),
    };
    let of_incidents = match incidents {
        0 => String::new(),
        1 => ", 1 incident".to_owned(),
        more => format!(", {more} incidents"),
    };
    format!("{} % {of_days}{of_incidents}", up(down, whole))
}

/// How much of a time was no downtime, in percent with at most two decimals. Rounded down: what was
/// not available all the time never reads as 100.
fn up(down: i64, whole: i64) -> String {
    let whole = whole.max(1);
    let hundredths = (whole - down.clamp(0, whole)).saturating_mul(10_000) / whole;
    match (hundredths / 100, hundredths % 100) {
        (percent, 0) => percent.to_string(),
        (percent, rest) => format!("{percent}.{rest:02}"),
    }
}

/// The components of a region, or of all, by category.
pub fn groups(
    components: &[Listed],
    region: Option<&str>,
    current: &Current,
    past: &Past,
    now: Timestamp,
) -> Markup {
    let states = current.states();
    let planned = planned(&current.planned);
    let has_regions = super::regions(components).len() > 1;
    html! {
        @for (number, (category, members)) in by_category(components, region).iter().enumerate() {
            section.card aria-labelledby={ "c" (number) } {
                h2 id={ "c" (number) } dir="auto" { (category) }
                ul.components {
                    @for component in members {
                        @let state = states.get(&component.id).copied().unwrap_or(State::Available);
                        @let (days, words) = past.of(component, now);
                        li {
                            div.name {
                                h3 dir="auto" { (name(component, components)) }
                                @if has_regions && region.is_none() && let Some(region) = &component.region {
                                    span.tag dir="auto" { (region) }
                                }
                                @if let Some(event) = planned.get(&component.id) {
                                    a.s.planned href={ "/incidents/" (event.id) } {
                                        (view::icon(Picture::Planned)) "Maintenance planned"
                                    }
                                }
                            }
                            div.past {
                                (view::bars(&days, past.first_day))
                                p { (words) }
                                @if past.charted.contains(&component.id) { (chart(component)) }
                            }
                            p.s.(state.name()) { (view::icon(Picture::Is(state))) (view::label(state)) }
                        }
                    }
                }
            }
        }
    }
}

/// The response times of a component's last day: see `response_times`.
fn chart(component: &Listed) -> Markup {
    let url = format!("/status/response-times.svg?component={}", component.id);
    html! {
        a.chart href=(url) {
            img src=(url) width="384" height="40" loading="lazy"
                alt={ "Response times of " (component.name) " in the last 24 hours" };
        }
    }
}

/// For each component the next event that is planned.
fn planned(events: &[Event]) -> BTreeMap<i64, &Event> {
    let mut planned = BTreeMap::new();
    for event in events.iter().filter(|event| event.state().is_some()) {
        for component in &event.components {
            planned.entry(component.id).or_insert(event);
        }
    }
    planned
}

/// Categories and their components in the order of the catalogue; those of one name, which
/// differ by region, stand together.
fn by_category<'a>(
    components: &'a [Listed],
    region: Option<&str>,
) -> Vec<(&'a str, Vec<&'a Listed>)> {
    let has_categories = components
        .iter()
        .any(|component| component.category.is_some());
    let rest = if has_categories {
        "Other"
    } else {
        "Components"
    };
    let mut groups: Vec<(&str, Vec<&Listed>)> = Vec::new();
    let members = components
        .iter()
        .filter(|component| region.is_none() || component.region.as_deref() == region);
    for component in members {
        let category = component.category.as_deref().unwrap_or(rest);
        match groups.iter_mut().find(|(known, _)| *known == category) {
            Some((_, members)) => {
                let last = members
                    .iter()
                    .rposition(|known| known.name == component.name);
                members.insert(last.map_or(members.len(), |index| index + 1), component);
            }
            None => groups.push((category, vec![component])),
        }
    }
    groups
}

/// A component's name; when others in the same place share it, with what else tells them apart.
fn name(component: &Listed, components: &[Listed]) -> String {
    let is_alike = |other: &&Listed| {
        other.name == component.name
            && other.region == component.region
            && other.category == component.category
    };
    if components.iter().filter(is_alike).count() < 2 {
        return component.name.clone();
    }
    let shown = |name: &str| name == "region" || name == "category";
    let others: Vec<&str> = component
        .attributes
        .iter()
        .filter(|attribute| !shown(&attribute.name))
        .map(|attribute| attribute.value.as_str())
        .collect();
    match others.as_slice() {
        [] => component.name.clone(),
        others => format!("{} ({})", component.name, others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_status::components::Attribute;

    fn listed(id: i64, name: &str, region: &str, category: Option<&str>) -> Listed {
        Listed {
            id,
            name: name.into(),
            region: Some(region.into()),
            category: category.map(str::to_owned),
            attributes: vec![Attribute {
                name: "tier".into(),
                value: format!("tier {id}"),
            }],
            created_at: start_of(20_000),
        }
    }

    #[test]
    fn what_was_down_never_reads_as_all_the_time() {
        for (down, whole, want) in [
            (0, 7_776_000, "100"),
            (1, 7_776_000, "99.99"),
            (1_000, 7_776_000, "99.98"),
            (777_600, 7_776_000, "90"),
            (5, 5, "0"),
            (9, 5, "0"),
            (0, 0, "100"),
        ] {
            assert_eq!(up(down, whole), want, "{down} of {whole}");
        }
    }

    #[test]
    fn the_past_is_told_in_words() {
        for (days, incidents, want) in [
            (90, 2, "99.98 % over 90 days, 2 incidents"),
            (90, 1, "99.98 % over 90 days, 1 incident"),
            (12, 0, "99.98 % over 12 days"),
            (1, 0, "99.98 % today"),
        ] {
            assert_eq!(in_words(1_000, 7_776_000, days, incidents), want);
        }
    }

    #[test]
    fn days_before_a_component_was_listed_are_unknown() {
        let mut days = vec![availability::Day::default(); 90];
        days[88].seconds[1] = 60;
        let now = start_of(20_001).plus_seconds(43_200);
        let mut past = Past {
            charted: Vec::new(),
            first_day: 20_001 - DAYS + 1,
            days: BTreeMap::from([(1, Days { component: 1, days })]),
            incidents: BTreeMap::from([(1, 1)]),
        };
        let component = listed(1, "Volumes", "EU-DE", None);
        let (bars, words) = past.of(&component, now);
        assert_eq!(bars.len(), 90);
        assert_eq!(bars[87].state, None);
        assert_eq!(
            bars[88],
            Day {
                state: Some(State::Minor),
                seconds: 60
            }
        );
        assert_eq!(bars[89].state, Some(State::Available));
        assert_eq!(words, "100 % over 2 days, 1 incident");
        // What happened before that makes the days since then known.
        if let Some(days) = past.days.get_mut(&1) {
            days.days[10].seconds[3] = 3600;
        }
        let (bars, words) = past.of(&component, now);
        assert_eq!(bars[9].state, None);
        assert_eq!(bars[10].state, Some(State::Outage));
        assert_eq!(bars[11].state, Some(State::Available));
        assert_eq!(words, "99.94 % over 80 days, 1 incident");
    }

    #[test]
    fn components_stand_by_category_and_name() {
        let components = [
            listed(1, "Volumes", "EU-DE", Some("Storage")),
            listed(2, "Objects", "EU-DE", Some("Storage")),
            listed(3, "DNS", "EU-DE", Some("Network")),
            listed(4, "Volumes", "EU-NL", Some("Storage")),
            listed(5, "Portal", "EU-NL", None),
        ];
        let ids = |region| -> Vec<(&str, Vec<i64>)> {
            by_category(&components, region)
                .into_iter()
                .map(|(category, members)| (category, members.iter().map(|c| c.id).collect()))
                .collect()
        };
        assert_eq!(
            ids(None),
            [
                ("Storage", vec![1, 4, 2]),
                ("Network", vec![3]),
                ("Other", vec![5])
            ]
        );
        assert_eq!(
            ids(Some("EU-NL")),
            [("Storage", vec![4]), ("Other", vec![5])]
        );
    }

    #[test]
    fn components_that_would_look_the_same_say_what_tells_them_apart() {
        let components = [
            listed(1, "Volumes", "EU-DE", None),
            listed(2, "Volumes", "EU-DE", None),
            listed(3, "Volumes", "EU-NL", None),
        ];
        let names: Vec<String> = components.iter().map(|c| name(c, &components)).collect();
        assert_eq!(names, ["Volumes (tier 1)", "Volumes (tier 2)", "Volumes"]);
    }
}
