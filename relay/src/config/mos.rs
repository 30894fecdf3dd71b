//! `mos`

use super::error::ConfigError;
use super::settings::Settings;
use super::value::{bad, setting};
use crate::media::{Formula, Mos};

/// How the mean opinion score is made. The formula of G.107.2 is for codecs whose calls are not looked into here.
pub(super) fn mos(settings: &Settings, warnings: &mut Vec<String>) -> Result<Mos, ConfigError> {
    let setting = setting(settings, "mos");
    let mut mos = Mos::default();
    for given in &setting.values {
        match given.text.to_ascii_lowercase().as_str() {
            "cq" => mos.listening_only = false,
            "lq" => mos.listening_only = true,
            "g.107" => mos.formula = Formula::G107,
            "legacy" => mos.formula = Formula::Legacy,
            "g.107.2" => {
                warnings.push(format!(
                    "mos {} ({}): scores are by G.107 for every codec",
                    given.text, given.origin
                ));
                mos.formula = Formula::G107;
            }
            _ => {
                let expected = "expected CQ or LQ, and G.107, G.107.2 or legacy";
                return Err(bad(setting.spec, given, expected));
            }
        }
    }
    Ok(mos)
}
