//! The face of the kernel datapath: puts wishes into a queue and wakes the thread that carries them out.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{self, Receiver, Sender};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::datapath::{Datapath, Flow, FlowId, FlowReport};

/// What the thread is told.
pub(super) enum Command {
    /// See [`Datapath::install`].
    Install(FlowId, Flow, Arc<FlowReport>),
    /// See [`Datapath::remove`].
    Remove(FlowId),
    /// Bring the reports up to date; the sender is dropped when they are.
    Refresh(Sender<()>),
    /// The same for these flows alone.
    RefreshFlows(Vec<FlowId>, Sender<()>),
    /// See [`Datapath::hold`].
    Hold(Vec<SocketAddr>),
    /// See [`Datapath::let_go`].
    LetGo(Vec<SocketAddr>),
    /// See [`Datapath::settled`]; the sender is dropped when it is so.
    Settled(Sender<()>),
    /// See [`Datapath::leave`]; the sender is dropped when the thread has ended.
    Leave(Sender<()>),
    /// End all flows, and give the table back.
    Stop,
}

/// The queue between the callers and the thread.
pub(super) struct Queue {
    sender: Sender<Command>,
    wake: Arc<Wake>,
}

/// The thread's end of the queue.
pub(super) struct Inbox {
    receiver: Receiver<Command>,
    wake: Arc<Wake>,
}

struct Wake {
    event: EventFd,
    /// Written and not yet read: spares a system call per command.
    is_set: AtomicBool,
    /// The thread looks into the queue by itself within [`DOZE`].
    dozes: AtomicBool,
}

/// How long what can wait waits at most. Each call has ports to be held and let go: to wake a thread for them would cost a tenth of
/// what a call takes. A crash in that time leaves ports to the kernel's answers that the journal would not have known either.
const DOZE: Duration = Duration::from_millis(20);

/// Makes a queue.
///
/// # Errors
/// No descriptor to be had.
pub(super) fn queue() -> std::io::Result<(Queue, Inbox)> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let wake = Arc::new(Wake {
        event: EventFd::from_flags(flags)?,
        is_set: AtomicBool::new(false),
        dozes: AtomicBool::new(false),
    });
    let (sender, receiver) = channel::unbounded();
    let queue = Queue {
        sender,
        wake: wake.clone(),
    };
    Ok((queue, Inbox { receiver, wake }))
}

impl Queue {
    /// For what is to be done at once.
    fn send(&self, command: Command) {
        self.put(command);
        self.wake();
    }

    /// For what is to be done soon, and in order.
    fn send_soon(&self, command: Command) {
        self.put(command);
        if !self.wake.dozes.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    fn put(&self, command: Command) {
        // The receiver is gone only after a panic of the thread; then nothing is forwarded any more anyway.
        let _ = self.sender.send(command);
    }

    fn wake(&self) {
        if !self.wake.is_set.swap(true, Ordering::AcqRel) {
            let _ = self.wake.event.write(1);
        }
    }
}

impl Inbox {
    /// Readable when there are commands.
    pub(super) fn descriptor(&self) -> impl AsFd + '_ {
        self.wake.event.as_fd()
    }

    /// How long the thread may sleep, if not for as long as it likes. Where there has just been something to do, there will be soon
    /// again.
    pub(super) fn lie_down(&self, has_worked: bool) -> Option<Duration> {
        self.wake.dozes.store(has_worked, Ordering::SeqCst);
        if has_worked {
            return Some(DOZE);
        }
        // Whoever puts something in from here on sees that it has to wake; what was put in before is seen here.
        (!self.receiver.is_empty()).then_some(Duration::ZERO)
    }

    /// The next commands, at most `most`.
    pub(super) fn take(&self, most: usize) -> Vec<Command> {
        let _ = self.wake.event.read();
        // Reads what a sender that saw it set has written, and with it what that sender has put into the queue.
        self.wake.is_set.swap(false, Ordering::AcqRel);
        let commands: Vec<Command> = self.receiver.try_iter().take(most).collect();
        if commands.len() == most && !self.wake.is_set.swap(true, Ordering::AcqRel) {
            let _ = self.wake.event.write(1);
        }
        commands
    }
}

/// The kernel engines of one table.
pub(super) struct KernelDatapath {
    queue: Queue,
    thread: Option<JoinHandle<()>>,
    takes_over: bool,
}

impl KernelDatapath {
    /// A datapath that `thread` carries out; `takes_over`: the place of an earlier generation of its table.
    pub(super) fn new(queue: Queue, thread: JoinHandle<()>, takes_over: bool) -> Self {
        Self {
            queue,
            thread: Some(thread),
            takes_over,
        }
    }

    fn await_done(&self, command: impl FnOnce(Sender<()>) -> Command) {
        let (done, wait) = channel::bounded(0);
        self.queue.send(command(done));
        // Ends with an error: the sender is dropped, by the thread when it is done, or with it.
        let _ = wait.recv();
    }
}

impl Datapath for KernelDatapath {
    fn install(&self, id: FlowId, flow: Flow, report: Arc<FlowReport>) {
        self.queue.send(Command::Install(id, flow, report));
    }

    fn remove(&self, id: FlowId) {
        self.queue.send(Command::Remove(id));
    }

    fn refresh(&self) {
        self.await_done(Command::Refresh);
    }

    fn refresh_flows(&self, flows: &[FlowId]) {
        self.await_done(|done| Command::RefreshFlows(flows.to_vec(), done));
    }

    fn hold(&self, ports: &[SocketAddr]) {
        self.queue.send_soon(Command::Hold(ports.to_vec()));
    }

    fn let_go(&self, ports: &[SocketAddr]) {
        self.queue.send_soon(Command::LetGo(ports.to_vec()));
    }

    fn settled(&self) {
        if self.takes_over {
            self.await_done(Command::Settled);
        }
    }

    fn leave(&self) {
        self.await_done(Command::Leave);
    }
}

impl Drop for KernelDatapath {
    fn drop(&mut self) {
        self.queue.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn is_woken(inbox: &Inbox) -> bool {
        let descriptor = inbox.descriptor();
        let mut polled = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::ZERO).unwrap() == 1
    }

    fn hold() -> Command {
        Command::Hold(Vec::new())
    }

    #[test]
    fn what_can_wait_wakes_a_thread_that_sleeps() {
        let (queue, inbox) = queue().unwrap();
        assert_eq!(inbox.lie_down(false), None);
        queue.send_soon(hold());
        assert!(is_woken(&inbox));
    }

    #[test]
    fn what_can_wait_leaves_a_thread_that_dozes_alone_and_is_found_by_it() {
        let (queue, inbox) = queue().unwrap();
        assert_eq!(inbox.lie_down(true), Some(DOZE));
        queue.send_soon(hold());
        assert!(!is_woken(&inbox));
        assert_eq!(inbox.take(9).len(), 1);
    }

    #[test]
    fn what_can_wait_keeps_a_thread_from_falling_asleep() {
        let (queue, inbox) = queue().unwrap();
        inbox.lie_down(true);
        queue.send_soon(hold());
        assert_eq!(inbox.lie_down(false), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_to_be_done_at_once_wakes_a_thread_that_dozes() {
        let (queue, inbox) = queue().unwrap();
        inbox.lie_down(true);
        queue.send(Command::Stop);
        assert!(is_woken(&inbox));
    }
}
