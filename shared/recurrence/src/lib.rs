//! When something recurs: what clients say about it, and the moments that follow from it.
//!
//! A [`Rule`] is what a client said: a period with a count and weekdays, or an RRULE of iCalendar. With
//! its first and last moment it is a [`Calendar`], which names the moments. Everything is in UTC.
//!
//! Both are bounded. What would take long is refused when the rule is read: periods in which a rule
//! names thousands of moments, large counts, rules that never name one. How many moments are already
//! past does not matter, because periods are passed over by a multiplication where that is possible.

mod calendar;
mod rrule;
mod rule;

pub use calendar::Calendar;
pub use rule::{Rule, later};
