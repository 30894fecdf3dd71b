//! What docs/claim-protocol.md says is what is spoken.

use std::collections::BTreeSet;

use super::*;

const DOCUMENT: &str = include_str!("../../../../docs/claim-protocol.md");

/// The words that a table's rows below a heading begin with.
fn words(heading: &str) -> BTreeSet<String> {
    let (_, section) = DOCUMENT.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect()
}

/// The fields of a message, by the second column of its row.
fn fields(heading: &str, word: &str) -> BTreeSet<String> {
    let (_, section) = DOCUMENT.split_once(&format!("\n## {heading}\n")).unwrap();
    let row = section
        .lines()
        .find(|line| line.starts_with(&format!("| `{word}` ")));
    let column = row.unwrap().split('|').nth(2).unwrap();
    column
        .split(',')
        .map(|field| field.trim().trim_matches('`').to_owned())
        .filter(|field| !field.is_empty())
        .collect()
}

/// The kind of a message and its fields, as it is sent.
fn sent<M: Serialize>(message: &M) -> (String, BTreeSet<String>) {
    let value = serde_json::to_value(message).unwrap();
    let mut object = value.as_object().unwrap().clone();
    let word = object.remove("message").unwrap();
    (
        word.as_str().unwrap().to_owned(),
        object.keys().cloned().collect(),
    )
}

#[track_caller]
fn is_said<M: Serialize>(heading: &str, messages: &[M]) {
    let mut said = BTreeSet::new();
    for message in messages {
        let (word, names) = sent(message);
        assert_eq!(fields(heading, &word), names, "{word}");
        said.insert(word);
    }
    assert_eq!(words(heading), said);
}

fn ports() -> AddressPorts {
    Ports { first: 1, last: 2 }.into()
}

#[test]
fn the_document_names_what_relays_say() {
    let (place, ifindex) = (Place::Own, 2);
    let messages = [
        ToAgent::Claim(Claim {
            version: VERSION,
            layout: 3,
            table: TableRequest::Auto,
            identity: String::new(),
            name: String::new(),
            command: String::new(),
            addresses: Vec::new(),
            ports: ports(),
            max_flows: 1,
            engine: EngineChoice::Auto,
            interface_engines: BTreeMap::new(),
        }),
        ToAgent::Resume {
            version: VERSION,
            table: 1,
            generation: 1,
        },
        ToAgent::Settled,
        ToAgent::WantEgress { place, ifindex },
        ToAgent::UseNeighbour {
            place,
            ifindex,
            address: [192, 0, 2, 1].into(),
        },
        ToAgent::NotSending { place, ifindex },
        ToAgent::Release,
        ToAgent::List,
        ToAgent::Free {
            table: 1,
            force: false,
        },
    ];
    // Whoever adds a kind of message adds it above, too.
    for message in &messages {
        match message {
            ToAgent::Claim(_)
            | ToAgent::Resume { .. }
            | ToAgent::Settled
            | ToAgent::WantEgress { .. }
            | ToAgent::UseNeighbour { .. }
            | ToAgent::NotSending { .. }
            | ToAgent::Release
            | ToAgent::List
            | ToAgent::Free { .. } => {}
        }
    }
    is_said("From the relay", &messages);
}

#[test]
fn the_document_names_what_agents_say() {
    let messages = [
        FromAgent::Granted(Granted {
            version: VERSION,
            table: 1,
            generation: 1,
            lease_ms: 1,
            max_flows: 1,
            addresses: Vec::new(),
            ports: ports(),
            takes_over: false,
            has_previous: false,
            has_node_sockets: false,
            placement: Placement::default(),
        }),
        FromAgent::Refused(Refused {
            reason: Refusal::Taken,
            text: String::new(),
            owner: None,
        }),
        FromAgent::Placement(Placement::default()),
        FromAgent::Settled,
        FromAgent::Released,
        FromAgent::Tables {
            tables: Vec::new(),
            more: false,
        },
    ];
    for message in &messages {
        match message {
            FromAgent::Granted(_)
            | FromAgent::Refused(_)
            | FromAgent::Placement(_)
            | FromAgent::Settled
            | FromAgent::Released
            | FromAgent::Tables { .. } => {}
        }
    }
    is_said("From the agent", &messages);
}

#[test]
fn the_document_names_every_reason_of_a_refusal() {
    use Refusal::*;
    let reasons = [
        Malformed,
        Version,
        Taken,
        AllTaken,
        NoSuchTable,
        Overlap,
        NotAllowed,
        Kernel,
        IdentityInUse,
    ];
    for reason in reasons {
        match reason {
            Malformed | Version | Taken | AllTaken | NoSuchTable | Overlap | NotAllowed
            | Kernel | IdentityInUse => {}
        }
    }
    let reasons = reasons.map(|reason| serde_json::to_value(reason).unwrap());
    let reasons = reasons.map(|reason| reason.as_str().unwrap().to_owned());
    assert_eq!(words("Refusals"), BTreeSet::from(reasons));
}

#[test]
fn the_document_names_the_version_and_the_bounds() {
    assert!(DOCUMENT.contains(&format!("version {VERSION}.")));
    assert!(DOCUMENT.contains("65,536 bytes") && MAX_MESSAGE == 65_536);
    assert!(DOCUMENT.contains(&format!("Up to {MAX_DESCRIPTORS} descriptors")));
}

#[test]
fn fields_of_a_later_version_are_ignored() {
    let message: ToAgent =
        serde_json::from_str(r#"{"message":"free","table":1,"force":true,"why":"because"}"#)
            .unwrap();
    let expected = ToAgent::Free {
        table: 1,
        force: true,
    };
    assert_eq!(message, expected);
}
