//! States in words and pictures. A colour never stands alone: each state has a shape and a word.

use maud::{Markup, html};
use windlass_status::overview::State;

/// What there is a picture of: a state, or what is no state but has one all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// How something is.
    Is(State),
    /// Something is planned.
    Planned,
    /// Something is worth knowing.
    Information,
    /// It is over.
    Over,
}

impl Picture {
    /// The class of its colour and the end of its picture's id.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Is(state) => state.name(),
            Self::Planned => "planned",
            Self::Information => "info",
            Self::Over => "over",
        }
    }
}

/// A state in words.
pub const fn label(state: State) -> &'static str {
    match state {
        State::Available => "Available",
        State::Maintenance => "Maintenance",
        State::Minor => "Minor incident",
        State::Major => "Major incident",
        State::Outage => "Outage",
    }
}

/// The picture of a state; the words stand beside it.
pub fn icon(of: Picture) -> Markup {
    html! { svg.i aria-hidden="true" { use href={ "#" (of.class()) } {} } }
}

/// What the pictures mean.
pub fn legend() -> Markup {
    html! {
        section.legend aria-labelledby="legend" {
            h2 #legend { "Legend" }
            ul {
                @for (state, meaning) in [
                    (State::Available, "Available"),
                    (State::Maintenance, "Maintenance under way"),
                    (State::Minor, "Minor incident, such as slow answers"),
                    (State::Major, "Major incident, a part does not work"),
                    (State::Outage, "Outage, nothing works"),
                ] {
                    li.s.(state.name()) { (icon(Picture::Is(state))) (meaning) }
                }
                li.s.planned { (icon(Picture::Planned)) "Maintenance planned" }
            }
            p { "A bar is a day, the last one today; a taller one is a day on which something happened. Faint ones are days before a component was listed." }
        }
    }
}
