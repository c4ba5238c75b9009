//! `/status/badge.svg`: a small picture of the state, for other pages to show.

use super::home::headline;
use super::page_cache::remembered;
use crate::view;
use maud::{Markup, html};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Response, Result, Scope};
use windlass_status::direction::without_turns;
use windlass_status::overview::{self, Current, Listed, State};

/// The width of a letter, about; the picture has no font of its own.
const LETTER: usize = 7;
/// The longest name in the picture, in characters.
const LONGEST: usize = 40;

/// `GET /status/badge.svg`: of everything, or of a `region` or the `component` of a number.
pub async fn badge(ctx: &Context<impl Db>) -> Result<Response> {
    let region = super::region_of(ctx);
    let component = ctx.request.query_value("component");
    let key = format!(
        "badge {:?} {:?}",
        region.unwrap_or_default(),
        component.unwrap_or_default()
    );
    remembered(ctx, key, async |now| {
        let components = overview::components(&ctx.db).await?;
        let current = overview::current(&ctx.db, &Scope::public(), now).await?;
        let (name, state) = match (component, region) {
            (Some(id), _) => of_component(&components, &current, id)?,
            (None, Some(region)) => of_region(&components, &current, region)?,
            (None, None) => ("status", current.overall()),
        };
        let text = match (component, region) {
            (None, None) => headline(&current),
            _ => view::label(state).to_owned(),
        };
        let picture = picture(name, &text, colour(state));
        Ok(
            Response::bytes(200, "image/svg+xml", picture.into_string().into_bytes())
                .header("cache-control", "no-cache")
                .header("x-content-type-options", "nosniff")
                .header("content-security-policy", "default-src 'none'")
                .header("access-control-allow-origin", "*"),
        )
    })
    .await
}

fn of_component<'a>(
    components: &'a [Listed],
    current: &Current,
    id: &str,
) -> Result<(&'a str, State)> {
    let found = components.iter().find(|known| known.id.to_string() == id);
    let found = found.ok_or_else(|| Error::not_found("Component", id))?;
    Ok((&found.name, state(current, found)))
}

/// The worst of a region's components.
fn of_region<'a>(
    components: &'a [Listed],
    current: &Current,
    region: &str,
) -> Result<(&'a str, State)> {
    let mut members = components
        .iter()
        .filter(|known| known.region.as_deref() == Some(region));
    let first = members.next();
    let first = first.ok_or_else(|| Error::not_found("Region", region))?;
    let worst = members.map(|member| state(current, member)).max();
    let worst = worst.unwrap_or(State::Available).max(state(current, first));
    Ok((first.region.as_deref().unwrap_or_default(), worst))
}

fn state(current: &Current, component: &Listed) -> State {
    let states = current.states();
    states
        .get(&component.id)
        .copied()
        .unwrap_or(State::Available)
}

/// Dark enough for white letters.
const fn colour(state: State) -> &'static str {
    match state {
        State::Available => "#1a7f4b",
        State::Maintenance => "#2a5fc4",
        State::Minor => "#8a5a00",
        State::Major => "#b3450b",
        State::Outage => "#b3232b",
    }
}

fn picture(name: &str, text: &str, colour: &str) -> Markup {
    let name = without_turns(name);
    let name: String = match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.into_owned(),
    };
    let width = |text: &str| text.chars().count() * LETTER + 12;
    let (left, right) = (width(&name), width(text));
    html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(left + right) height="20" role="img"
            font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle" fill="#fff" {
            // Between the two characters a name has its own direction.
            title { "\u{2068}" (name) "\u{2069}: " (text) }
            clipPath id="r" { rect width=(left + right) height="20" rx="4" {} }
            g clip-path="url(#r)" {
                rect width=(left) height="20" fill="#3b4252" {}
                rect x=(left) width=(right) height="20" fill=(colour) {}
            }
            text x=(left / 2) y="14" { (name) }
            text x=(left + right / 2) y="14" { (text) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_is_well_formed_whatever_a_component_is_called() {
        let name = format!("<b>&\"{}", "é".repeat(50));
        let text = picture(&name, "Outage", "#000").into_string();
        assert!(
            text.contains("<title>\u{2068}&lt;b&gt;&amp;&quot;éé"),
            "{text}"
        );
        assert!(text.contains("é…\u{2069}: Outage</title>"), "{text}");
        assert!(!text.contains("<b>"));
        let text = picture("a\u{202e}b", "Outage", "#000").into_string();
        assert!(text.contains(">ab</text>"), "{text}");
    }
}
