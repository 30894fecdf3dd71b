//! Colours by day and by night.
//!
//! What is drawn has the day's; a style sheet in the picture turns them into the night's, since a rule of a style sheet goes
//! before an attribute.

use std::fmt::Write;

use plotters::style::RGBColor;

/// Of the ground.
pub(super) const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
/// Of text and axes.
pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Of the lines behind the data.
pub(super) const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);

/// Told apart by those who do not see all colours, too; by day and by night.
const SERIES: [(RGBColor, RGBColor); 8] = [
    (RGBColor(0x1b, 0x6c, 0xa8), RGBColor(0x6c, 0xb4, 0xee)),
    (RGBColor(0xd5, 0x5e, 0x00), RGBColor(0xff, 0x9a, 0x4d)),
    (RGBColor(0x00, 0x8a, 0x63), RGBColor(0x3d, 0xd1, 0xa5)),
    (RGBColor(0xb0, 0x3a, 0x8c), RGBColor(0xf0, 0x92, 0xd0)),
    (RGBColor(0x8a, 0x6d, 0x00), RGBColor(0xe6, 0xc2, 0x3c)),
    (RGBColor(0x5b, 0x4f, 0xc4), RGBColor(0xa9, 0xa0, 0xff)),
    (RGBColor(0x6b, 0x6b, 0x6b), RGBColor(0xb5, 0xb5, 0xb5)),
    (RGBColor(0xb3, 0x26, 0x1e), RGBColor(0xff, 0x8a, 0x80)),
];

const NIGHT_PAPER: RGBColor = RGBColor(0x16, 0x18, 0x1c);
const NIGHT_INK: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const NIGHT_GRID: RGBColor = RGBColor(0x33, 0x37, 0x3d);

/// Of a series; from the ninth on again, then with hollow marks.
pub(super) fn series(index: usize) -> RGBColor {
    SERIES[index % SERIES.len()].0
}

/// Whether a series' marks are hollow.
pub(super) fn is_hollow(index: usize) -> bool {
    (index / SERIES.len()) % 2 == 1
}

/// The picture with the style sheet in it.
pub(super) fn with_night(svg: &str) -> String {
    let Some(end) = svg.find('>').filter(|_| svg.starts_with("<svg")) else {
        return svg.to_owned();
    };
    let pairs = [(PAPER, NIGHT_PAPER), (INK, NIGHT_INK), (GRID, NIGHT_GRID)];
    let mut rules = String::new();
    for (day, night) in pairs.into_iter().chain(SERIES) {
        for attribute in ["fill", "stroke"] {
            // Writing to a String cannot fail.
            let _ = write!(
                rules,
                "[{attribute}=\"{}\"]{{{attribute}:{}}}",
                hex(day),
                hex(night)
            );
        }
    }
    let style = format!("<style>@media (prefers-color-scheme: dark){{{rules}}}</style>");
    format!("{}{style}{}", &svg[..=end], &svg[end + 1..])
}

/// As plotters writes it.
fn hex(colour: RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2)
}
