//! Levels of parts, facilities, and the length of an interval.

use super::*;
use crate::ops::logging::{Facilities, Levels, Part};

#[test]
fn a_part_has_the_level_of_the_rest_until_it_is_given_one() {
    let process = load_arguments(&["-L", "5"]).config.process;
    assert_eq!(process.log_levels, Levels::all(5));
    let process = load_arguments(&["--log-level-http=7", "--log-level-control=-1"])
        .config
        .process;
    assert_eq!(process.log_levels, Levels::all(6).with(Part::Http, 7));
}

#[test]
fn records_are_kept_where_they_have_a_facility() {
    let facilities = |arguments: &[&str]| load_arguments(arguments).config.process.facilities;
    assert_eq!(facilities(&[]), Facilities::default());
    let given = facilities(&["--log-facility-cdr=local1", "--log-facility=local0"]);
    assert_eq!(given.cdr, Some("local1".parse().unwrap()));
    assert_eq!(given.general, "local0".parse().unwrap());
    assert_eq!(given.dtmf, None);
    assert_eq!(
        error_of(&["--log-facility-dtmf=nowhere"]),
        "log-facility-dtmf = nowhere (command line --log-facility-dtmf): expected daemon, local0 to local7 or another facility of \
         syslog"
    );
}

#[test]
fn an_interval_has_ten_seconds_and_may_be_turned_off() {
    let interval = |arguments: &[&str]| load_arguments(arguments).config.graphite_interval;
    assert_eq!(interval(&[]), Duration::from_secs(10));
    assert_eq!(interval(&["-G", "60"]), Duration::from_secs(60));
    assert_eq!(interval(&["--graphite-interval=0"]), Duration::ZERO);
    assert_eq!(interval(&["--graphite-interval=-1"]), Duration::ZERO);
}
