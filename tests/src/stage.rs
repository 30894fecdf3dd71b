//! What most scenarios begin with: two networks, and a relay between them.

use crate::call::{Call, CallOptions};
use crate::lab::Lab;
use crate::ng::NgClient;
use crate::relay::{Engine, Launch, Relay};
use crate::topology::{TwoNetworks, Wiring};

/// A relay that answers, with an interface in either network. It ends before its networks go.
#[derive(Debug)]
pub struct Stage {
    /// Its proxy.
    pub ng: NgClient,
    /// The relay.
    pub relay: Relay,
    /// The networks, over veth.
    pub net: TwoNetworks,
}

impl Stage {
    /// The relay under test, forwarding by `engine`; `None` where that can't be tested.
    #[must_use]
    #[track_caller]
    pub fn with(engine: Engine) -> Option<Self> {
        let lab = Lab::for_engine(engine)?;
        Some(Self::start(&lab, Relay::under_test().engine(engine)))
    }

    /// A relay as it is to be started, but for its interfaces.
    #[must_use]
    #[track_caller]
    pub fn start(lab: &Lab, launch: Launch) -> Self {
        let net = TwoNetworks::build(lab, Wiring::Veth);
        let relay = launch.two_networks().start(&net.relay);
        let ng = relay.client(&net.relay);
        Self { ng, relay, net }
    }

    /// A call between the networks.
    #[must_use]
    #[track_caller]
    pub fn call(&self) -> Call {
        Call::set_up(&self.net, &self.ng, &CallOptions::default())
    }

    /// A call whose streams are both in the kernel.
    #[must_use]
    #[track_caller]
    pub fn call_in_kernel(&self) -> Call {
        let call = self.call();
        call.bring_into_kernel(&self.ng);
        call
    }
}
