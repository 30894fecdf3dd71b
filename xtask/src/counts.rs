//! How many tests passed, by what libtest prints.

/// Tests of all binaries together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Counts {
    /// `test result: ok. 84 passed; 0 failed; 2 ignored; …`
    pub(crate) fn add_line(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        let count = |what: &str| {
            let before = result.split(what).next()?;
            before.split_whitespace().next_back()?.parse::<u64>().ok()
        };
        self.add(Self {
            passed: count(" passed;").unwrap_or(0),
            failed: count(" failed;").unwrap_or(0),
            ignored: count(" ignored;").unwrap_or(0),
        });
    }

    pub(crate) fn add(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.ignored += more.ignored;
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn results_of_several_binaries_are_added_up() {
        let mut counts = Counts::default();
        counts.add_line("test result: ok. 84 passed; 0 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.1s");
        counts.add_line("test something ... ok");
        counts.add_line(
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        );
        assert_eq!(
            counts,
            Counts {
                passed: 85,
                failed: 2,
                ignored: 2
            }
        );
    }
}
