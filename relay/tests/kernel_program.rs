//! The kernel programs load and run (BPF_PROG_TEST_RUN). Needs root.
#![cfg(feature = "kernel")]

use aya::EbpfLoader;
use aya::programs::{SchedClassifier, TestRun, TestRunOptions, Xdp};
use underpass::datapath::object;

#[test]
fn the_programs_pass_the_verifier_and_pass_up_a_stranger() {
    let mut ebpf = EbpfLoader::new().load(object::BYTES).unwrap();
    let xdp: &mut Xdp = ebpf
        .program_mut("underpass_xdp")
        .unwrap()
        .try_into()
        .unwrap();
    xdp.load().unwrap();
    let packet = [0u8; 64];
    let run = xdp
        .test_run(TestRunOptions {
            data_in: Some(&packet),
            ..TestRunOptions::new()
        })
        .unwrap();
    assert_eq!(run.return_value, 2, "XDP_PASS");
    let tc: &mut SchedClassifier = ebpf
        .program_mut("underpass_tc")
        .unwrap()
        .try_into()
        .unwrap();
    tc.load().unwrap();
    let run = tc
        .test_run(TestRunOptions {
            data_in: Some(&packet),
            ..TestRunOptions::new()
        })
        .unwrap();
    assert_eq!(run.return_value as i32, -1, "TC_ACT_UNSPEC");
}
