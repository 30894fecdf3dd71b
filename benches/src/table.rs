//! Results as text, for a terminal.

use std::fmt::Write;

use crate::number;
use crate::results::{Figure, Question, Results};

/// Characters a line may have before a table is broken into two.
const WIDTH: usize = 110;
/// Between columns.
const GAP: &str = "  ";

/// All that was measured: each question as a table, then the figures.
#[must_use]
pub fn text(results: &Results) -> String {
    let mut out = format!("{}\n{}\n\n", results.machine.text(), results.plan);
    for named in &results.sections {
        for asked in &named.section.questions {
            out.push_str(&question(asked));
            out.push('\n');
        }
    }
    let all = results.sections.iter().flat_map(|s| &s.section.figures);
    out.push_str(&figures(&all.collect::<Vec<_>>()));
    out
}

// Writing to a String cannot fail.

/// Series by rows, places of the axis by columns; as many blocks as the terminal's width needs.
fn question(question: &Question) -> String {
    let mut out = format!(
        "{} [{}]\n{}, median (min-max), by {}\n\n",
        question.title, question.id, question.unit, question.axis
    );
    let names: Vec<String> = question.series.iter().map(|s| s.name.clone()).collect();
    let columns: Vec<Vec<String>> = question
        .places()
        .into_iter()
        .map(|place| {
            let cells = question.series.iter().map(|series| {
                let measured = series.at(place);
                measured.map_or_else(|| "-".to_owned(), number::spread)
            });
            std::iter::once(number::place(place)).chain(cells).collect()
        })
        .collect();
    let first: Vec<String> = std::iter::once(String::new()).chain(names).collect();
    for block in blocks(&first, columns) {
        out.push_str(&block);
        out.push('\n');
    }
    for note in &question.notes {
        for line in wrapped(note) {
            let _ = writeln!(out, "{GAP}{line}");
        }
    }
    out
}

/// Lines of at most a terminal's width.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + word.chars().count() < WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// The first column again in each block.
fn blocks(first: &[String], columns: Vec<Vec<String>>) -> Vec<String> {
    let mut blocks = vec![vec![first.to_vec()]];
    let mut taken = widest(first);
    for column in columns {
        let width = widest(&column) + GAP.len();
        if taken + width > WIDTH && blocks.last().is_some_and(|block| block.len() > 1) {
            blocks.push(vec![first.to_vec()]);
            taken = widest(first);
        }
        taken += width;
        if let Some(block) = blocks.last_mut() {
            block.push(column);
        }
    }
    blocks.iter().map(|columns| lines(columns)).collect()
}

/// Columns of cells as lines; the first is flush left, the others right.
fn lines(columns: &[Vec<String>]) -> String {
    let widths: Vec<usize> = columns.iter().map(|column| widest(column)).collect();
    let mut out = String::new();
    for row in 0..columns.first().map_or(0, Vec::len) {
        let mut line = String::from(GAP);
        for (index, (column, &width)) in columns.iter().zip(&widths).enumerate() {
            let cell = &column[row];
            let _ = match index {
                0 => write!(line, "{cell:width$}"),
                _ => write!(line, "{GAP}{cell:>width$}"),
            };
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// What is held against targets, and the rest of what is compared from run to run.
fn figures(figures: &[&Figure]) -> String {
    if figures.is_empty() {
        return String::new();
    }
    let head = ["", "median (min-max)", "at most", "unit", ""].map(str::to_owned);
    let mut columns: Vec<Vec<String>> = head.into_iter().map(|title| vec![title]).collect();
    for figure in figures {
        let cells = [
            figure.what.clone(),
            number::spread(&figure.value),
            figure.target.map_or_else(String::new, number::short),
            figure.unit.clone(),
            verdict(figure).to_owned(),
        ];
        for (column, cell) in columns.iter_mut().zip(cells) {
            column.push(cell);
        }
    }
    format!("Figures; smaller is better\n\n{}", lines(&columns))
}

/// `met`, `MISSED`, or nothing where nothing was promised.
#[must_use]
pub fn verdict(figure: &Figure) -> &'static str {
    match figure.target {
        None => "",
        Some(_) if figure.is_met() => "met",
        Some(_) => "MISSED",
    }
}

fn widest(cells: &[String]) -> usize {
    let widths = cells.iter().map(|cell| cell.chars().count());
    widths.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Point, Series};
    use crate::spread::Spread;

    fn asked(series: &[(&str, &[f64])], places: &[f64]) -> Question {
        let series = series.iter().map(|(name, values)| Series {
            name: (*name).to_owned(),
            points: places
                .iter()
                .zip(*values)
                .map(|(&at, &value)| Point {
                    at,
                    value: Spread::of(vec![value, value * 2.0, value * 3.0]),
                })
                .collect(),
        });
        Question {
            id: "cost".to_owned(),
            title: "What does it cost?".to_owned(),
            unit: "ns".to_owned(),
            axis: "flows".to_owned(),
            series: series.collect(),
            notes: vec!["One of a kind.".to_owned()],
        }
    }

    #[test]
    fn series_are_rows_and_places_columns() {
        let text = question(&asked(
            &[("ours", &[31.0, 200.0]), ("theirs", &[40.0])],
            &[1.0, 100_000.0],
        ));
        assert_eq!(
            text,
            "What does it cost? [cost]\n\
             ns, median (min-max), by flows\n\n                         \
             1           100k\n  \
             ours    62.0 (31.0-93.0)  400 (200-600)\n  \
             theirs   80.0 (40.0-120)              -\n\n  \
             One of a kind.\n"
        );
    }

    #[test]
    fn a_table_wider_than_a_terminal_is_broken_with_the_names_again() {
        let places: Vec<f64> = (1..=12).map(f64::from).collect();
        let text = question(&asked(&[("ours", &[1234.0; 12])], &places));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH + 2));
        assert_eq!(text.matches("  ours").count(), 3);
        assert_eq!(text.matches("2468").count(), 12);
    }

    #[test]
    fn a_long_note_is_broken_between_words() {
        let note = "word ".repeat(50);
        let lines = wrapped(&note);
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(lines.join(" "), note.trim());
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn a_target_is_met_or_missed_and_without_one_there_is_no_verdict() {
        let figure = |what: &str, target| Figure {
            id: what.to_owned(),
            what: what.to_owned(),
            unit: "x".to_owned(),
            value: Spread::of(vec![1.1, 1.2, 1.3]),
            target,
        };
        let all = [
            figure("a", Some(1.2)),
            figure("b", Some(1.1)),
            figure("c", None),
        ];
        let text = figures(&all.iter().collect::<Vec<_>>());
        let verdicts: Vec<&str> = text.lines().skip(3).collect();
        assert_eq!(
            verdicts,
            [
                "  a  1.20 (1.10-1.30)     1.20     x     met",
                "  b  1.20 (1.10-1.30)     1.10     x  MISSED",
                "  c  1.20 (1.10-1.30)              x",
            ]
        );
    }
}
