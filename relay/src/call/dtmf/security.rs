//! `DTMF-security`: what a command asks to become of a party's digits.

use ng_protocol::{DtmfSecurity, Options};

use super::sequence;
use super::triggers::{Terms, Triggers};
use crate::plan::{Digits, Replacement, Substitute, code_of, digit_of};

/// What is to become of digits from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Security {
    pub(super) digits: Digits,
    /// What changes that.
    pub(super) triggers: Option<Triggers>,
}

impl Security {
    /// `unblock DTMF`
    pub(super) const OFF: Self = Self {
        digits: Digits::Pass,
        triggers: None,
    };

    /// `block DTMF`, or the flag of that name. Where digits are to be blocked by a trigger, they pass until then.
    pub(super) fn of(options: &Options) -> Self {
        let dtmf = &options.dtmf;
        let mode = |asked: Option<DtmfSecurity>, otherwise| match asked {
            Some(security) => digits(security, options),
            None => otherwise,
        };
        let code = |text: &Option<bytes::Bytes>| text.as_deref().and_then(sequence::code);
        let Some(trigger) = code(&dtmf.trigger) else {
            return Self {
                digits: mode(dtmf.security, Digits::Drop),
                triggers: None,
            };
        };
        let count = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
        Self {
            digits: mode(dtmf.security, Digits::Pass),
            triggers: Some(Triggers::new(Terms {
                trigger,
                during: mode(dtmf.security_trigger, Digits::Drop),
                end: code(&dtmf.trigger_end),
                end_ms: count(dtmf.trigger_end_time).filter(|ms| *ms > 0),
                end_digits: count(dtmf.trigger_end_digits).filter(|digits| *digits > 0),
                after: mode(dtmf.security_trigger_end, Digits::Pass),
            })),
        }
    }
}

/// There is no sound to put in their place: with `silence` and `tone` digits are dropped.
fn digits(security: DtmfSecurity, options: &Options) -> Digits {
    let digit = match security {
        DtmfSecurity::Off => return Digits::Pass,
        DtmfSecurity::Drop | DtmfSecurity::Silence | DtmfSecurity::Tone => return Digits::Drop,
        DtmfSecurity::Random => Substitute::Random,
        DtmfSecurity::Zero => Substitute::Code(0),
        DtmfSecurity::Dtmf => Substitute::Code(substitute(options)),
    };
    let volume = options.player.volume;
    Digits::Replace(Replacement {
        digit,
        volume: volume.map(|volume| volume.unsigned_abs().min(63) as u8),
    })
}

/// The event code that `digit` stands for, by itself or as a digit; 0 if it stands for none.
fn substitute(options: &Options) -> u8 {
    let text = options.player.code.as_deref();
    let Some(text) = text.and_then(|text| std::str::from_utf8(text).ok()) else {
        return 0;
    };
    let mut digits = text.trim().chars();
    match (digits.next(), digits.next()) {
        (Some(digit), None) => code_of(digit),
        _ => text.trim().parse().ok(),
    }
    .filter(|code| digit_of(*code).is_some())
    .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn blocked(change: impl FnOnce(&mut Options)) -> Security {
        let mut options = Options::default();
        change(&mut options);
        Security::of(&options)
    }

    fn replaced(code: Option<&'static str>) -> Digits {
        blocked(|options| {
            options.dtmf.security = Some(DtmfSecurity::Dtmf);
            options.player.code = code.map(Bytes::from);
        })
        .digits
    }

    #[test]
    fn digits_are_dropped_unless_something_else_is_said() {
        assert_eq!(blocked(|_| {}).digits, Digits::Drop);
        let off = blocked(|options| options.dtmf.security = Some(DtmfSecurity::Off));
        assert_eq!(off, Security::OFF);
    }

    #[test]
    fn a_digit_may_be_written_as_itself_or_as_its_code() {
        for (written, code) in [
            (None, 0),
            (Some("7"), 7),
            (Some("*"), 10),
            (Some("b"), 13),
            (Some("11"), 11),
            (Some("16"), 0),
            (Some("x"), 0),
        ] {
            let expected = Digits::Replace(Replacement {
                digit: Substitute::Code(code),
                volume: None,
            });
            assert_eq!(replaced(written), expected, "{written:?}");
        }
    }

    #[test]
    fn volume_is_an_attenuation_with_or_without_its_sign() {
        for (written, attenuation) in [(-10, 10), (10, 10), (-100, 63), (i64::MIN, 63)] {
            let security = blocked(|options| {
                options.dtmf.security = Some(DtmfSecurity::Zero);
                options.player.volume = Some(written);
            });
            let Digits::Replace(replacement) = security.digits else {
                panic!("replaced")
            };
            assert_eq!(replacement.volume, Some(attenuation));
        }
    }

    #[test]
    fn with_a_trigger_digits_pass_until_it_is_dialled() {
        let security = blocked(|options| options.dtmf.trigger = Some("*1".into()));
        assert_eq!(security.digits, Digits::Pass);
        assert!(security.triggers.is_some());
        let nobody_can_dial_it = blocked(|options| options.dtmf.trigger = Some("x".into()));
        assert_eq!(nobody_can_dial_it, blocked(|_| {}));
    }
}
