//! Agents that do what none should.

use std::os::fd::{AsRawFd, FromRawFd};
use std::thread;
use std::time::Instant;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, listen, socket,
};

use super::*;
use crate::datapath::EngineChoice;
use crate::tables::packet;
use crate::tables::protocol::{Placement, Ports, Refusal, VERSION};

const BRIEF: Patience = Patience {
    connect: Duration::from_millis(200),
    answer: Duration::from_millis(200),
};

/// A socket where somebody listens who is no agent.
struct Impostor {
    directory: tempfile::TempDir,
    socket: OwnedFd,
}

impl Impostor {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).unwrap();
        let address = UnixAddr::new(&directory.path().join("agent.sock")).unwrap();
        bind(socket.as_raw_fd(), &address).unwrap();
        listen(&socket, Backlog::new(1).unwrap()).unwrap();
        Self { directory, socket }
    }

    fn accept(&self) -> OwnedFd {
        let descriptor = accept4(self.socket.as_raw_fd(), SockFlag::SOCK_CLOEXEC).unwrap();
        // SAFETY: just returned, nobody else's.
        unsafe { OwnedFd::from_raw_fd(descriptor) }
    }

    fn config(&self) -> ClaimConfig {
        ClaimConfig {
            agent: AgentChoice::At(self.directory.path().join("agent.sock")),
            lease: Duration::ZERO,
            bpffs: PathBuf::new(),
            registry: PathBuf::new(),
            claim: claim(),
        }
    }

    /// What a claim comes to that is answered so.
    #[track_caller]
    fn answering(answer: impl FnOnce(OwnedFd) -> Option<OwnedFd> + Send) -> String {
        let impostor = Self::new();
        thread::scope(|scope| {
            let impostor = &impostor;
            let thread = scope.spawn(move || answer(impostor.accept()));
            let error = claim_within(&impostor.config(), BRIEF).unwrap_err();
            drop(thread.join().unwrap());
            assert!(matches!(error, ClaimFailed::Unusable { .. }), "{error:?}");
            let text = error.to_string();
            assert!(
                !text.contains('\n') && text.contains("agent.sock"),
                "{text}"
            );
            text
        })
    }
}

fn claim() -> Claim {
    Claim {
        version: VERSION,
        layout: 3,
        table: TableRequest::Auto,
        identity: "a".to_owned(),
        name: "a".to_owned(),
        command: String::new(),
        addresses: Vec::new(),
        ports: Ports { first: 1, last: 2 }.into(),
        max_flows: 1,
        engine: EngineChoice::Auto,
        interface_engines: Default::default(),
    }
}

fn granted() -> Granted {
    Granted {
        version: VERSION,
        table: 1,
        generation: 1,
        lease_ms: 1,
        max_flows: 1,
        addresses: Vec::new(),
        ports: Ports { first: 1, last: 2 }.into(),
        takes_over: false,
        has_previous: false,
        has_node_sockets: false,
        placement: Placement::default(),
    }
}

fn say(socket: &OwnedFd, message: &FromAgent, descriptors: usize) {
    let bytes = packet::encode(message).unwrap();
    packet::send(socket.as_fd(), &bytes, &vec![socket.as_fd(); descriptors]).unwrap();
}

#[test]
fn an_agent_that_is_silent_is_waited_for_so_long_and_not_longer() {
    let started = Instant::now();
    let text = Impostor::answering(Some);
    assert!(text.contains("has not answered"), "{text}");
    assert!(started.elapsed() >= BRIEF.answer);
}

#[test]
fn an_agent_that_accepts_nobody_is_not_waited_for_for_ever() {
    let impostor = Impostor::new();
    let config = impostor.config();
    // What fits into the backlog waits for an answer in vain, what does not to be accepted.
    let texts: Vec<String> = (0..4)
        .map(|_| claim_within(&config, BRIEF).unwrap_err().to_string())
        .collect();
    assert!(texts[0].contains("has not answered"), "{texts:?}");
    assert!(texts[3].contains("has accepted no connection"), "{texts:?}");
}

#[test]
fn an_agent_that_hangs_up_is_none() {
    let text = Impostor::answering(|socket| {
        drop(socket);
        None
    });
    // It may hang up before it is asked, too.
    assert!(text.contains("hung up") || text.contains("take"), "{text}");
}

#[test]
fn an_agent_that_talks_nonsense_is_none() {
    let text = Impostor::answering(|socket| {
        packet::send(socket.as_fd(), b"hello", &[]).unwrap();
        Some(socket)
    });
    assert!(text.contains("talks nonsense"), "{text}");
}

#[test]
fn an_agent_that_answers_something_else_is_none() {
    let text = Impostor::answering(|socket| {
        say(&socket, &FromAgent::Released, 0);
        Some(socket)
    });
    assert!(text.contains("'released' out of turn"), "{text}");
}

#[test]
fn a_grant_with_too_few_or_too_many_descriptors_is_none() {
    for count in [0, 4, 6] {
        let text = Impostor::answering(|socket| {
            say(&socket, &FromAgent::Granted(granted()), count);
            Some(socket)
        });
        assert!(
            text.contains(&format!("with {count} descriptors")),
            "{text}"
        );
    }
}

#[test]
fn a_grant_of_a_table_that_is_none_is_none() {
    let text = Impostor::answering(|socket| {
        let granted = Granted {
            table: TABLES,
            ..granted()
        };
        say(&socket, &FromAgent::Granted(granted), 5);
        Some(socket)
    });
    assert!(text.contains("table 64"), "{text}");
}

#[test]
fn a_refusal_is_handed_on_as_it_was_said() {
    let impostor = Impostor::new();
    let refused = Refused {
        reason: Refusal::NotAllowed,
        text: "ask someone else".to_owned(),
        owner: None,
    };
    let answer = FromAgent::Refused(refused);
    let error = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let socket = impostor.accept();
            say(&socket, &answer, 0);
            socket
        });
        let error = claim_within(&impostor.config(), PATIENCE).unwrap_err();
        drop(thread.join());
        error
    });
    assert_eq!(error.to_string(), "ask someone else");
}

#[test]
fn what_belongs_to_a_grant_is_told_apart_by_its_order() {
    let impostor = Impostor::new();
    let granted = Granted {
        has_previous: true,
        has_node_sockets: true,
        ..granted()
    };
    let answer = FromAgent::Granted(granted.clone());
    let table = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let socket = impostor.accept();
            say(&socket, &answer, 10);
            socket
        });
        let table = claim_within(&impostor.config(), PATIENCE).unwrap().unwrap();
        drop(thread.join());
        table
    });
    assert_eq!(table.granted, granted);
    assert!(table.maps.outcomes.is_some() && table.node_sockets.is_some());
    assert!(table.previous.unwrap().outcomes.is_none());
}

#[test]
fn without_an_agent_there_is_no_table() {
    let impostor = Impostor::new();
    let config = ClaimConfig {
        agent: AgentChoice::None,
        ..impostor.config()
    };
    assert!(super::claim(&config).unwrap().is_none());
}
