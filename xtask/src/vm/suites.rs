//! Which tests run on other kernels, and which of those do not.

/// The tests of one binary.
pub(super) struct Suite {
    /// The name cargo knows it by.
    pub(super) name: &'static str,
    /// Tests that don't run, by a part of their name.
    pub(super) left_out: &'static [LeftOut],
}

/// Tests that don't run on other kernels, and why.
pub(super) struct LeftOut {
    pub(super) tests: &'static str,
    pub(super) why: &'static str,
}

/// The verifier and the program by BPF_PROG_TEST_RUN; the datapath in namespaces; whole calls through the relay.
pub(super) const SUITES: [Suite; 3] = [
    Suite {
        name: "kernel_program",
        left_out: &[],
    },
    Suite {
        name: "datapath",
        left_out: &[],
    },
    Suite {
        name: "scenarios",
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
