//! What a media worker sleeps on: its sockets, a word that commands are there, and a clock.

use std::os::fd::AsFd;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// Epoll's name for the command channel, and for sockets whose opening is among the commands.
pub(super) const WAKE: u64 = u64::MAX;
/// Epoll's name for the clock.
pub(super) const TICK: u64 = WAKE - 1;
/// How long a worker with streams dozes.
const DOZE: Duration = Duration::from_millis(100);

/// What a worker sleeps on.
pub(super) struct Bed {
    pub(super) epoll: Epoll,
    pub(super) wake: EventFd,
    /// Ticks while there are streams.
    pub(super) clock: TimerFd,
    /// The worker sleeps until it is woken.
    pub(super) fast_asleep: AtomicBool,
}

impl Bed {
    /// With the clock stopped.
    pub(super) fn new() -> nix::Result<Self> {
        let bed = Self {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            wake: EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
            clock: TimerFd::new(
                ClockId::CLOCK_MONOTONIC,
                TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK,
            )?,
            fast_asleep: AtomicBool::new(false),
        };
        bed.watch(bed.wake.as_fd(), WAKE)?;
        bed.watch(bed.clock.as_fd(), TICK)?;
        Ok(bed)
    }

    /// Lets whatever arrives at a descriptor wake the worker, by `name`.
    pub(super) fn watch(&self, descriptor: impl AsFd, name: u64) -> nix::Result<()> {
        self.epoll
            .add(descriptor, EpollEvent::new(EpollFlags::EPOLLIN, name))
    }

    /// Starts the clock, or stops it.
    pub(super) fn tick(&self, wanted: bool) -> nix::Result<()> {
        if wanted {
            let interval = Expiration::Interval(TimeSpec::from(DOZE));
            self.clock.set(interval, TimerSetTimeFlags::empty())
        } else {
            self.clock.unset()
        }
    }
}
