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
        left_out: &[],
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
            "crash_and_restart::in_the_kernel",
            "kernel_counters::",
            "next_hop::the_next_hop_gets_another_mac_in_native_xdp",
            "next_hop::the_next_hop_gets_another_mac_in_the_kernel",
            "next_hop::the_route_moves_to_another_interface_in_the_kernel",
            "on_the_wire::by_",
            "plain_call::by_",
            "tables::",
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
        ],
    },
];
