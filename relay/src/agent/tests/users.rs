//! Relays of other users, and in other processes.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use super::hostile::connected;
use super::node::{Node, claim, wait_until};
use crate::tables::client::{self, AgentChoice, ClaimConfig, ClaimFailed};
use crate::tables::protocol::{Claim, Refusal, Refused};

/// Somebody who is not the superuser.
const NOBODY: u32 = 65_534;
const SOMEBODY: u32 = 65_533;
/// Tells a child what to do.
const SOCKET: &str = "TEST_AGENT_SOCKET";
const UID: &str = "TEST_UID";

/// Does something as another user. Linux knows users by thread.
fn as_user<T: Send>(uid: u32, what: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = scope.spawn(move || {
            become_user(uid);
            what()
        });
        thread.join().unwrap()
    })
}

fn become_user(uid: u32) {
    // SAFETY: no memory is touched; of this thread alone the user is changed, which ends soon.
    let changed = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
    assert_eq!(changed, 0);
}

/// A relay in another process, of another user.
struct Relay(Child);

impl Relay {
    fn start(node: &Node, uid: u32) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "agent::tests::users::in_another_process",
                "--ignored",
            ])
            .arg("--nocapture")
            .env(SOCKET, node.socket())
            .env(UID, uid.to_string())
            .stdout(Stdio::piped())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            said.map_while(Result::ok)
                .any(|line| line.contains("claimed"))
        );
        Self(child)
    }

    /// As by kill -9.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "the other process of other tests"]
fn in_another_process() {
    let Some(socket) = env::var_os(SOCKET) else {
        return;
    };
    become_user(env::var(UID).unwrap().parse().unwrap());
    let config = ClaimConfig {
        agent: AgentChoice::At(PathBuf::from(socket)),
        lease: std::time::Duration::ZERO,
        bpffs: PathBuf::new(),
        registry: PathBuf::new(),
        claim: claim(1),
    };
    let _table = client::claim(&config).unwrap().unwrap();
    println!("claimed");
    // Until it is killed, or whoever started it ends.
    let _ = std::io::read_to_string(std::io::stdin());
}

fn refused(outcome: Result<client::Table, ClaimFailed>) -> Refused {
    match outcome {
        Err(ClaimFailed::Refused(refused)) => refused,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_relay_without_any_privilege_gets_a_table() {
    let node = Node::new();
    let _agent = node.agent();
    let table = as_user(NOBODY, || node.claim(claim(1)));
    assert_eq!(table.granted.table, 0);
    assert!(
        !node
            .kernel
            .world()
            .generations
            .values()
            .any(|pinned| pinned.spec.is_trusted)
    );
    let record = node.locked().entry(0).unwrap().unwrap().record.unwrap();
    assert_eq!((record.uid, record.owner.pid), (NOBODY, std::process::id()));
}

#[test]
fn a_killed_relays_table_is_taken_over_by_the_same_identity_of_the_same_user_only() {
    let node = Node::new();
    let _agent = node.agent();
    let mut relay = Relay::start(&node, NOBODY);
    let in_use = as_user(NOBODY, || refused(node.try_claim(claim(1))));
    assert_eq!(in_use.reason, Refusal::IdentityInUse);
    assert!(
        in_use.text.contains(&relay.0.id().to_string()),
        "{}",
        in_use.text
    );

    relay.kill();
    wait_until("the owner is seen to be gone", || !node.is_alive(0));
    let other = as_user(SOMEBODY, || refused(node.try_claim(claim(1))));
    assert_eq!(other.reason, Refusal::Overlap);
    let again = as_user(NOBODY, || node.claim(claim(1)));
    assert!(again.granted.takes_over && again.granted.table == 0);
}

#[test]
fn users_may_have_eight_tables_and_the_superuser_more() {
    let node = Node::new();
    let _agent = node.agent();
    let _held: Vec<_> = as_user(NOBODY, || {
        (0..8).map(|number| node.claim(claim(number))).collect()
    });
    let ninth = as_user(NOBODY, || refused(node.try_claim(claim(8))));
    assert_eq!(ninth.reason, Refusal::NotAllowed);
    let _another = as_user(SOMEBODY, || node.claim(claim(8)));
    let _ours: Vec<_> = (9..20).map(|number| node.claim(claim(number))).collect();
}

#[test]
fn low_ports_are_the_superusers() {
    let node = Node::new();
    let _agent = node.agent();
    let low = || {
        let mut low: Claim = claim(1);
        low.ports.all.first = 1023;
        low
    };
    let refused = as_user(NOBODY, || refused(node.try_claim(low())));
    assert_eq!(refused.reason, Refusal::NotAllowed);
    assert!(node.try_claim(low()).is_ok());
}

#[test]
fn only_the_superuser_frees_tables() {
    let node = Node::new();
    let _agent = node.agent();
    let _held = node.claim(claim(1));
    let outcome = as_user(NOBODY, || node.operator().free(0, true));
    assert!(
        matches!(outcome, Err(ClaimFailed::Refused(refused)) if refused.reason == Refusal::NotAllowed)
    );
    assert_eq!(as_user(NOBODY, || node.list()).len(), 1);
}

#[test]
fn one_user_can_not_take_all_connections() {
    let node = Node::new();
    let _agent = node.agent();
    let _open: Vec<_> = as_user(NOBODY, || (0..16).map(|_| connected(&node)).collect());
    wait_until("there are too many", || {
        matches!(
            as_user(NOBODY, || node.operator().list()),
            Err(ClaimFailed::Refused(refused)) if refused.reason == Refusal::NotAllowed
        )
    });
    assert!(node.operator().list().is_ok());
    assert!(as_user(SOMEBODY, || node.operator().list()).is_ok());
}
