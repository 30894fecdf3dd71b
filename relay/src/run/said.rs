//! What has been said already: a proxy that is configured wrong is wrong in every call, and one line tells it.

use std::collections::BTreeSet;

/// Texts remembered. They contain what proxies sent, so there may be any number of them.
const MAX_TEXTS: usize = 64;

/// The warnings that have been logged.
#[derive(Debug, Default)]
pub(super) struct Said(BTreeSet<String>);

impl Said {
    /// Whether `text` is said for the first time; it counts as said from now on. After [`MAX_TEXTS`] nothing is news.
    pub(super) fn is_news(&mut self, text: &str) -> bool {
        if self.0.len() >= MAX_TEXTS || self.0.contains(text) {
            return false;
        }
        self.0.insert(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_news_once() {
        let mut said = Said::default();
        assert!(said.is_news("no interface is called 'a'"));
        assert!(said.is_news("no interface is called 'b'"));
        assert!(!said.is_news("no interface is called 'a'"));
    }

    #[test]
    fn any_number_of_texts_is_a_bounded_number_of_lines() {
        let mut said = Said::default();
        let lines = (0..10_000).filter(|number| said.is_news(&number.to_string()));
        assert_eq!(lines.count(), MAX_TEXTS);
    }
}
