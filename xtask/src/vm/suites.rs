//! Which tests run on other kernels, and which of those do not.

/// The tests of one binary.
pub(super) struct Suite {
    /// The name cargo knows it by.
    pub(super) name: &'static str,
    /// Which of its tests run when none are asked for, by parts of their names; none means all.
    pub(super) chosen: &'static [&'static str],
    /// Tests that can't run, by parts of their names.
    pub(super) left_out: &'static [LeftOut],
}

/// What is to run; nothing named means all.
#[derive(Default)]
pub(crate) struct Choice {
    /// Suites by name.
    pub(super) suites: Vec<String>,
    /// Tests by parts of their names, in place of each suite's own choice.
    pub(super) tests: Vec<String>,
}

impl Choice {
    /// The suites among it.
    pub(super) fn suites(&self) -> impl Iterator<Item = &'static Suite> {
        SUITES.iter().filter(|suite| {
            self.suites.is_empty() || self.suites.iter().any(|name| name == suite.name)
        })
    }

    /// Adds a suite.
    ///
    /// # Errors
    /// If there is none of this name.
    pub(super) fn add_suite(&mut self, name: String) -> anyhow::Result<()> {
        let names = SUITES.map(|suite| suite.name);
        anyhow::ensure!(
            names.contains(&name.as_str()),
            "no suite {name}; there are {}",
            names.join(", ")
        );
        self.suites.push(name);
        Ok(())
    }
}

/// Tests that can't run on other kernels, and why.
pub(super) struct LeftOut {
    pub(super) tests: &'static str,
    pub(super) why: &'static str,
}

/// The verifier and the program by BPF_PROG_TEST_RUN; the datapath in namespaces; whole calls that the kernel forwards.
/// A scenario takes several seconds here, most of them in the verifier, so these are one of each kind; `cargo xtask vm -- NAME`
/// runs others.
pub(super) const SUITES: [Suite; 3] = [
    Suite {
        name: "kernel_program",
        chosen: &[],
        left_out: &[LeftOut {
            tests: "tc_carries_every_value_of_a_checksum_over",
            why: "a quarter of a million packets, and arithmetic that no kernel has a part in",
        }],
    },
    Suite {
        name: "datapath",
        chosen: &[],
        left_out: &[],
    },
    Suite {
        name: "scenarios",
        chosen: &[
            "checksums::by_tc_between",
            "checksums::by_xdp_between",
            "kernel_counters::",
            "lease::with_the_agent_dead",
            "next_hop::the_next_hop_gets_another_mac_in_native_xdp",
            "next_hop::the_next_hop_gets_another_mac_in_the_kernel",
            "next_hop::the_route_moves_to_another_interface_in_the_kernel",
            "node_agent::with_no_privilege",
            "on_the_wire::by_",
            "plain_call::by_",
            "subscribers_in_kernel::the_kernel_sends_to_all_and",
            "survival::an_unprivileged_relay_is_killed",
            "tables::",
            "tenants::two_unprivileged_relays",
            "tenants::writes::nothing_is_received",
            "uplink::two_pods_and_a_routed_one",
        ],
        left_out: &[
            LeftOut {
                tests: "sip_calls::",
                why: "Kamailio and SIPp are not in the guest",
            },
            LeftOut {
                tests: "foreign_clients::",
                why: "Node.js and Perl are not in the guest",
            },
            LeftOut {
                tests: "upgrade::",
                why: "cargo, which builds the next layout, is not in the guest",
            },
        ],
    },
];
