//! The plots of a run on one page.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::number;
use crate::plot;
use crate::results::{Question, Results};
use crate::table::verdict;

const STYLE: &str = "\
:root{color-scheme:light dark}
body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;background:#fff;color:#222}
svg{max-width:100%;height:auto}
table{border-collapse:collapse;font-size:.9rem}
.wide{overflow-x:auto}
th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #8884;white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal}
.missed{color:#b3261e;font-weight:bold}
section{margin:3rem 0}
summary{cursor:pointer}
@media (prefers-color-scheme:dark){body{background:#16181c;color:#ddd}a{color:#6cb4ee}.missed{color:#ff8a80}}
";

/// Writes a plot for each question and the page; returns where the page is.
///
/// # Errors
/// A file can't be written.
pub fn write(directory: &Path, results: &Results) -> Result<PathBuf> {
    let cannot = || format!("cannot write into {}", directory.display());
    fs::create_dir_all(directory).with_context(cannot)?;
    let mut plots = Vec::new();
    for question in results.sections.iter().flat_map(|s| &s.section.questions) {
        // A question nothing was measured of has its table, and no picture.
        let svg = plot::svg(question).unwrap_or_default();
        if !svg.is_empty() {
            let file = directory.join(format!("{}.svg", question.id));
            fs::write(file, &svg).with_context(cannot)?;
        }
        plots.push((question, svg));
    }
    let index = directory.join("index.html");
    fs::write(&index, page(results, &plots)).with_context(cannot)?;
    Ok(index)
}

// Writing to a String cannot fail.

fn page(results: &Results, plots: &[(&Question, String)]) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>underpass: the bench</title><style>\n{STYLE}</style></head><body>\n\
         <h1>Underpass: the bench</h1>\n<p>{}<br>{}. Points are medians, whiskers reach from the smallest to the largest sample.</p>\n",
        escaped(&results.machine.text()),
        escaped(&results.plan)
    );
    figures(&mut out, results);
    out.push_str("<ul>\n");
    for (question, _) in plots {
        let title = escaped(&question.title);
        let _ = writeln!(
            out,
            "<li><a href=\"#{}\">{title}</a></li>",
            escaped(&question.id)
        );
    }
    out.push_str("</ul>\n");
    for (question, svg) in plots {
        answer(&mut out, question, svg);
    }
    out.push_str("</body></html>\n");
    out
}

fn figures(out: &mut String, results: &Results) {
    out.push_str("<div class=\"wide\"><table><tr><th>figure; smaller is better</th><th>median (min-max)</th><th>at most</th><th>unit</th><th></th></tr>\n");
    for figure in results.sections.iter().flat_map(|s| &s.section.figures) {
        let verdict = verdict(figure);
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"{}\">{verdict}</td></tr>",
            escaped(&figure.what),
            number::spread(&figure.value),
            figure.target.map(number::short).unwrap_or_default(),
            escaped(&figure.unit),
            verdict.to_lowercase(),
        );
    }
    out.push_str("</table></div>\n");
}

fn answer(out: &mut String, question: &Question, svg: &str) {
    let _ = writeln!(out, "<section id=\"{}\">", escaped(&question.id));
    match svg {
        "" => {
            let _ = writeln!(out, "<h2>{}</h2>", escaped(&question.title));
        }
        svg => out.push_str(svg),
    }
    for note in &question.notes {
        let _ = writeln!(out, "<p>{}</p>", escaped(note));
    }
    let places = question.places();
    let _ = write!(
        out,
        "<details><summary>{}, by {}</summary><div class=\"wide\"><table><tr><th></th>",
        escaped(&question.unit),
        escaped(&question.axis)
    );
    for &place in &places {
        let _ = write!(out, "<th>{}</th>", number::place(place));
    }
    out.push_str("</tr>\n");
    for series in &question.series {
        let _ = write!(out, "<tr><td>{}</td>", escaped(&series.name));
        for &place in &places {
            let cell = series.at(place).map(number::spread).unwrap_or_default();
            let _ = write!(out, "<td>{cell}</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div></details>\n</section>\n");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::results::{Figure, NamedSection, Point, Section, Series};
    use crate::spread::Spread;

    fn results() -> Results {
        let question = Question {
            id: "path-cpu".to_owned(),
            title: "What does a packet cost?".to_owned(),
            unit: "ns".to_owned(),
            axis: "flows".to_owned(),
            series: vec![Series {
                name: "a < b".to_owned(),
                points: vec![Point {
                    at: 1.0,
                    value: Spread::of(vec![1.0, 2.0, 3.0]),
                }],
            }],
            notes: vec!["Read it <with care>.".to_owned()],
        };
        let empty = Question {
            id: "path-none".to_owned(),
            series: Vec::new(),
            ..question.clone()
        };
        let figure = Figure {
            id: "cost".to_owned(),
            what: "the cost".to_owned(),
            unit: "x".to_owned(),
            value: Spread::of(vec![2.0]),
            target: Some(1.0),
        };
        let section = Section {
            questions: vec![question, empty],
            figures: vec![figure],
        };
        Results {
            machine: Machine::default(),
            plan: "quick".to_owned(),
            sections: vec![NamedSection {
                name: "path".to_owned(),
                section,
            }],
        }
    }

    #[test]
    fn the_page_shows_plots_notes_values_and_figures_and_fetches_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let index = write(directory.path(), &results()).unwrap();
        let page = fs::read_to_string(index).unwrap();
        for part in [
            "<svg",
            "Read it &lt;with care&gt;.",
            "a &lt; b",
            "MISSED",
            "2.00 (1.00-3.00)",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("<script") && !page.contains("src="));
        assert!(directory.path().join("path-cpu.svg").exists());
    }

    #[test]
    fn a_question_without_an_answer_is_on_the_page_without_a_plot() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &results()).unwrap();
        assert!(!directory.path().join("path-none.svg").exists());
    }
}
