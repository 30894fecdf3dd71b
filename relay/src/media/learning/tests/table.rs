//! The table of docs/endpoint-learning.md, cell by cell.

use std::collections::BTreeMap;

use super::*;

const TABLE: &str = include_str!("../../../../../docs/endpoint-learning.md");

fn scenario(name: &str) -> Vec<Step> {
    let stranger = |ms| Step {
        ms,
        source: STRANGER,
        watched: true,
    };
    let mut steps: Vec<Step> = match name {
        "the announced address and port" => voice(ANNOUNCED, 20, 5000, true).collect(),
        "same address, other port" => voice(SAME_ADDRESS, 20, 5000, true).collect(),
        "wrong address in SDP" => voice(ELSEWHERE, 20, 5000, true).collect(),
        "a stranger before the peer" => voice(SAME_ADDRESS, 20, 5000, false)
            .chain([stranger(10)])
            .collect(),
        "a stranger during learning" => voice(SAME_ADDRESS, 20, 5000, false)
            .chain([stranger(1010)])
            .collect(),
        "a stranger after learning" => voice(ANNOUNCED, 20, 12_000, false)
            .chain([stranger(10_010)])
            .collect(),
        "NAT rebinding after learning" => voice(ANNOUNCED, 20, 10_000, false)
            .chain(voice(SAME_ADDRESS, 10_020, 12_000, true))
            .collect(),
        other => panic!("the table has a scenario the test does not know: {other}"),
    };
    steps.sort_by_key(|step| step.ms);
    steps
}

/// What a cell of the table says, found by playing the scenario.
fn outcome(name: &str, rules: &StreamPlan) -> String {
    let steps = scenario(name);
    let mut learning = Learning::new(rules, 0);
    let mut begun = false;
    let mut peer_dropped = false;
    let mut fates = BTreeMap::new();
    let mut destinations: Vec<&str> = Vec::new();
    let mut confirmed = None;
    for step in &steps {
        let verdict = send(&mut learning, step.source, step.ms);
        begun |= step.watched;
        if !begun {
            continue;
        }
        if step.watched {
            *fates.entry(verdict == Verdict::Forward).or_insert(0) += 1;
        } else {
            peer_dropped |= verdict == Verdict::Refuse;
        }
        let destination = match learning.send_to().map(|a| a.to_string()).as_deref() {
            Some(STRANGER) => "the stranger",
            Some(ANNOUNCED) if name.starts_with("NAT") => "the old port",
            Some(SAME_ADDRESS) if name.starts_with("NAT") => "the new port",
            Some(ANNOUNCED) if !name.contains("announced") && !name.contains("after") => "SDP's",
            _ => "the peer",
        };
        if destinations.last() != Some(&destination) {
            destinations.push(destination);
        }
        if confirmed.is_none() && learning.source().is_some() {
            confirmed = Some(step.ms);
        }
    }
    let fate = match (fates.get(&true), fates.get(&false)) {
        (Some(_), None) => "passed",
        (None, Some(_)) => "dropped",
        _ => "passed and dropped",
    };
    let mut text = format!("{fate}; to {}", destinations.join(", then "));
    if steps.iter().all(|step| step.watched) {
        text += match confirmed {
            Some(20) => "; confirmed at once",
            Some(3020) => "; confirmed after 3 s",
            Some(_) => "; confirmed at an odd time",
            None => "; never confirmed",
        };
    }
    if peer_dropped {
        text += "; the peer dropped";
    }
    text
}

/// (mode, scenario, column, cell) of every table row under a heading that is a mode's name.
fn documented() -> Vec<(EndpointLearning, String, String, String)> {
    let mut found = Vec::new();
    let mut mode = None;
    let mut columns: Vec<String> = Vec::new();
    for line in TABLE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            mode = match heading {
                "off" => Some(EndpointLearning::Off),
                "immediate" => Some(EndpointLearning::Immediate),
                "delayed" => Some(EndpointLearning::Delayed),
                "heuristic" => Some(EndpointLearning::Heuristic),
                _ => None,
            };
            columns.clear();
        }
        let (Some(mode), true) = (mode, line.starts_with("| ")) else {
            continue;
        };
        let cells: Vec<String> = line
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        if columns.is_empty() {
            columns = cells;
            continue;
        }
        for (column, cell) in columns.iter().zip(&cells).skip(1) {
            found.push((mode, cells[0].clone(), column.clone(), cell.clone()));
        }
    }
    found
}

#[test]
fn the_documented_table_is_what_happens() {
    let cells = documented();
    assert_eq!(
        cells.len(),
        4 * 7 * 4,
        "four modes, seven scenarios, four columns"
    );
    let wrong: Vec<String> = cells
        .iter()
        .filter_map(|(mode, scenario, column, cell)| {
            let found = outcome(scenario, &rules(*mode, column));
            (found != *cell)
                .then(|| format!("{mode:?}, {scenario}, {column}: table `{cell}`, found `{found}`"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn strict_source_never_lets_a_stranger_move_or_enter_a_learned_stream() {
    for mode in [
        EndpointLearning::Off,
        EndpointLearning::Immediate,
        EndpointLearning::Delayed,
        EndpointLearning::Heuristic,
    ] {
        let mut learning = Learning::new(&rules(mode, "strict-source"), 0);
        for step in voice(ANNOUNCED, 20, 5000, false) {
            send(&mut learning, step.source, step.ms);
        }
        for source in [STRANGER, SAME_ADDRESS, SAME_PORT, ELSEWHERE] {
            assert_eq!(send(&mut learning, source, 6000), Verdict::Refuse);
            assert_eq!(learning.send_to(), Some(at(ANNOUNCED)));
            assert_eq!(learning.source(), Some(at(ANNOUNCED)));
        }
    }
}
