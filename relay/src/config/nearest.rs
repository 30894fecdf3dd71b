//! Typing errors in names of options.

use super::options::OPTIONS;
use super::without_effect;

/// The known name that `name` was probably meant to be.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let known = OPTIONS.iter().chain(without_effect::OPTIONS);
    let distances = known.map(|option| (edit_distance(name, option.long), option.long));
    let (distance, nearest) = distances.min()?;
    // Two letters changed places, or a third of a long name is wrong; more is another word.
    let length = name.chars().count();
    let is_near = distance <= (length / 3).max(2) && distance * 2 < length;
    is_near.then_some(nearest)
}

/// Levenshtein's distance: letters to add, leave out or change.
fn edit_distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
