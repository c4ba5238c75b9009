//! Plots of how lists grow, as SVG: a small picture for each list, the same scales in all of them.
//!
//! A hundred lines of text that nothing depends on. The crates that draw plots bring fonts, bitmaps and
//! layouts, for lines through four points.

use std::fmt::Write as _;

/// The size of a picture, and of what is around its lines.
const WIDTH: f64 = 280.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 20.0;
/// Pictures beside each other.
const COLUMNS: usize = 3;
/// Milliseconds at the bottom and at the top, as powers of ten.
const POWERS: (i32, i32) = (-1, 3);

/// The milliseconds of one list by how many rows there are.
#[derive(Clone, Debug)]
pub struct Series {
    /// What was asked for.
    pub name: String,
    /// Rows and milliseconds, ascending.
    pub points: Vec<(f64, f64)>,
}

/// All lists of one kind as an image.
pub fn svg(title: &str, all: &[Series]) -> String {
    let lines = all.len().div_ceil(COLUMNS);
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let (width, height) = (WIDTH * number(COLUMNS), HEIGHT * number(lines) + 30.0);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"10\" role=\"img\" aria-label=\"{0}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"19\" font-size=\"13\" fill=\"#111\">{0}: milliseconds of a page of 20 by rows</text>\n",
        escaped(title)
    );
    for (place, series) in all.iter().enumerate() {
        let x = WIDTH * number(place % COLUMNS);
        let y = HEIGHT * number(place / COLUMNS) + 30.0;
        let _ = writeln!(
            text,
            "<g transform=\"translate({x} {y})\">{}</g>",
            picture(series)
        );
    }
    text + "</svg>\n"
}

fn picture(series: &Series) -> String {
    let (low, high) = (f64::from(POWERS.0), f64::from(POWERS.1));
    let (least, most) = match (series.points.first(), series.points.last()) {
        (Some(first), Some(last)) if last.0 > first.0 => (first.0.log10(), last.0.log10()),
        _ => (3.0, 6.0),
    };
    let x = |rows: f64| LEFT + (rows.log10() - least) / (most - least) * (WIDTH - LEFT - 24.0);
    let y = |millis: f64| {
        let share = (millis.log10().clamp(low, high) - low) / (high - low);
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    };
    let mut text = format!(
        "<text x=\"8\" y=\"16\" fill=\"#111\">{}</text>",
        escaped(&series.name)
    );
    for power in POWERS.0..=POWERS.1 {
        let (at, value) = (y(10_f64.powi(power)), 10_f64.powi(power));
        let _ = write!(
            text,
            "<path d=\"M{LEFT} {at:.1}H{:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{value}</text>",
            WIDTH - 24.0,
            LEFT - 4.0,
            at + 3.0
        );
    }
    let mut line = String::new();
    for (place, (rows, millis)) in series.points.iter().enumerate() {
        let (x, y) = (x(*rows), y(*millis));
        let _ = write!(line, "{}{x:.1} {y:.1}", if place == 0 { "M" } else { "L" });
        let _ = write!(
            text,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"#06c\"><title>{rows} rows: {millis} ms</title></circle>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">10^{:.0}</text>",
            HEIGHT - 6.0,
            rows.log10()
        );
    }
    let _ = write!(
        text,
        "<path d=\"{line}\" fill=\"none\" stroke=\"#06c\" stroke-width=\"1.5\"/>"
    );
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_longer_is_higher_and_what_has_more_rows_is_further_right() {
        let points = vec![(1e3, 0.5), (1e4, 5.0), (1e5, 50.0), (1e6, 5e9)];
        let series = Series {
            name: "a < b & c".into(),
            points,
        };
        let text = svg("lists", &[series.clone(), series]);
        let of = |name: &str| -> Vec<f64> {
            let start = format!(" {name}=\"");
            let circles = text.split("<circle").skip(1).take(4);
            circles
                .map(|one| {
                    one.split(&start)
                        .nth(1)
                        .unwrap()
                        .split('"')
                        .next()
                        .unwrap()
                        .parse()
                        .unwrap()
                })
                .collect()
        };
        let (across, down) = (of("cx"), of("cy"));
        assert!(across.is_sorted() && across[3] > across[0], "{across:?}");
        assert!(down.windows(2).all(|two| two[0] > two[1]), "{down:?}");
        assert!(
            down[3] >= TOP,
            "what is off the scale is at its end: {down:?}"
        );
        assert_eq!(text.matches("<g ").count(), 2);
        assert!(text.contains("a &lt; b &amp; c"));
    }
}
