//! Environment variables: `UNDERPASS_` and the option's name in capitals, `_` for `-`.

use super::nearest::nearest;
use super::options::{self, OptionSpec};
use super::settings::{Given, Origin};

const PREFIX: &str = "UNDERPASS_";

/// What the environment gives.
pub(super) struct Environment {
    pub(super) given: Vec<(&'static OptionSpec, Given)>,
    pub(super) warnings: Vec<String>,
}

/// Reads the variables that are ours. An empty one counts as not set.
///
/// One that is no option is a warning and not an error: others write into our environment, too.
pub(super) fn read(variables: impl IntoIterator<Item = (String, String)>) -> Environment {
    let mut environment = Environment {
        given: Vec::new(),
        warnings: Vec::new(),
    };
    for (name, text) in variables {
        let Some(suffix) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if text.is_empty() {
            continue;
        }
        let long = suffix.to_lowercase().replace('_', "-");
        if let Some(option) = options::by_long(&long) {
            let origin = Origin::Environment(name);
            environment.given.push((option, Given { text, origin }));
            continue;
        }
        if is_service_link(suffix, &text) {
            continue;
        }
        let near = nearest(&long)
            .map(|near| format!(", did you mean {}?", variable(near)))
            .unwrap_or_default();
        let warning = format!("environment {name} is no option and has no effect{near}");
        environment.warnings.push(warning);
    }
    environment
}

/// The variable of an option.
pub(super) fn variable(long: &str) -> String {
    format!("{PREFIX}{}", long.to_uppercase().replace('-', "_"))
}

/// Kubernetes puts `UNDERPASS_SERVICE_HOST`, `UNDERPASS_PORT=udp://…` and the like into every pod beside a Service of
/// that name.
fn is_service_link(suffix: &str, text: &str) -> bool {
    let numbered_port = suffix
        .split_once("PORT_")
        .is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
    suffix.contains("SERVICE_HOST")
        || suffix.contains("SERVICE_PORT")
        || numbered_port
        || ["tcp://", "udp://", "sctp://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
}
