//! What the agent says, and what comes of it.

use std::time::Instant;

use super::view::View;
use super::worker::Worker;
use crate::tables::protocol::{FromAgent, Place, Placement, Refusal};

impl Worker {
    /// Carries out what the agent has said.
    pub(super) fn hear(&mut self) {
        while let Some(message) = self.agent.connection.receive() {
            match message {
                FromAgent::Placement(placement) => self.set_placement(placement),
                FromAgent::Granted(granted) => {
                    if !granted.takes_over {
                        self.go_on_from_previous();
                    }
                    self.see_node();
                    self.set_placement(granted.placement);
                }
                FromAgent::Settled => self.go_on_from_previous(),
                FromAgent::Refused(refused) if refused.reason == Refusal::NoSuchTable => {
                    self.lose(&refused.text);
                }
                FromAgent::Refused(refused) => {
                    tracing::warn!("the agent refused: {}", refused.text);
                    self.agent.wait_no_longer();
                }
                FromAgent::Released => self.lose("it has been freed"),
                FromAgent::Tables { .. } => {}
            }
        }
    }

    /// An agent that was found again may have sent what the one before could not.
    fn see_node(&mut self) {
        let sockets = self.agent.connection.take_node_sockets();
        // Those there are go on hearing, whoever opened them.
        if let Some(sockets) = sockets.filter(|_| self.node.is_none()) {
            self.node = View::node(sockets)
                .inspect_err(|error| tracing::error!(%error, "the node's routes can't be read"))
                .ok();
        }
    }

    /// The agent has taken the table back.
    fn lose(&mut self, why: &str) {
        tracing::error!("forwarding in user space only: the table is gone: {why}");
        self.ways.lose();
        self.agent.wait_no_longer();
        self.monitor.set_interfaces(Vec::new());
        self.place_all();
    }

    fn set_placement(&mut self, placement: Placement) {
        self.ways.set(placement);
        let ways = &self.ways;
        self.agent.has(|device| ways.egress(device).is_some());
        let before = self.monitor.interfaces();
        let now = self.ways.summary(&self.addresses);
        for interface in now.iter().filter(|interface| !before.contains(interface)) {
            let engine = interface
                .engine
                .map_or_else(|| "user space".to_owned(), |engine| engine.to_string());
            let (name, note) = (&interface.name, &interface.note);
            tracing::info!(%name, %engine, %note, "interface changed");
        }
        self.monitor.set_interfaces(now);
        self.place_all();
        for place in [Place::Own, Place::Node] {
            self.with_kernel(place, |hops, kernel| hops.ask_unresolved(kernel));
        }
    }

    /// Takes the place of the generation before when all is restored. What that has counted lies in our own maps before they
    /// are all that is left, so that it is not lost with this process.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.agent.is_settling(now) {
            if let Some(previous) = &self.previous {
                self.table.take_over(previous);
            }
            self.agent.say_settled();
        }
        self.agent.give_up_waiting(now);
    }

    /// The generation before is gone: what it has counted until then belongs to the flows that have taken over.
    fn go_on_from_previous(&mut self) {
        if self.agent.settled()
            && let Some(previous) = self.previous.take()
        {
            let flows = self.table.take_over(&previous);
            tracing::info!(flows, "the table has taken its predecessor's place");
        }
        self.agent.wait_no_longer();
    }

    /// The agent, or its successor, is there again.
    pub(super) fn found_again(&mut self) {
        self.agent.found_again();
        for device in self.ways.given_up() {
            self.say_not_sending(device);
        }
        self.place_all();
    }
}
