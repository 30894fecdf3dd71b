//! Guests, booted. Each takes some seconds and the kernels and QEMU are fetched first: `cargo xtask vm` runs them.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::fs;
use std::process::Command;
use std::time::Duration;

use vm::{Error, Image, Kernel, Machine, Store};

fn store() -> Store {
    Store::at(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/vm"))
}

fn bare(kernel: Kernel) -> (Machine, Image) {
    let files = store().kernel(kernel).unwrap();
    let machine = Machine::new(&store().emulator().unwrap(), &files);
    (machine, Image::new(&files).unwrap())
}

#[test]
#[ignore = "boots a guest"]
fn a_script_runs_on_the_kernel_asked_for_and_its_output_and_status_come_back() {
    for kernel in Kernel::ALL {
        let (machine, image) = bare(kernel);
        let script = "uname -r; echo to stderr >&2; printf unfinished; exit 3";
        let mut watched = Vec::new();
        let watch = &mut |line: &str| watched.push(line.to_owned());
        let output = machine.run_watched(&image, script, watch).unwrap();
        let (release, rest) = output.stdout.split_once('\n').unwrap();
        assert!(release.starts_with(&format!("{kernel}.")), "{release}");
        assert_eq!((rest, output.status), ("unfinished", 3));
        assert!(output.console.contains("to stderr"));
        assert_eq!(watched[0], release);
    }
}

#[test]
#[ignore = "boots a guest"]
fn a_guest_has_the_files_programs_and_modules_it_was_given() {
    for kernel in Kernel::ALL {
        let (machine, mut image) = bare(kernel);
        image
            .contents("/etc/some/name", "a name\n")
            .module("macvlan")
            .unwrap();
        image.program("ip").unwrap();
        let script = "cat /etc/some/name; ip link add name below type dummy && exit 1
            ip link add name v0 type veth peer name v1 && exit 1
            ip link add link lo name m0 type macvlan; test -d /sys/module/macvlan";
        let output = machine.run(&image, script).unwrap();
        assert_eq!(
            (&*output.stdout, output.status),
            ("a name", 0),
            "{}",
            output.console
        );
    }
}

#[test]
#[ignore = "boots a guest"]
fn a_module_built_against_a_kernels_headers_is_loaded_there() {
    for kernel in Kernel::ALL {
        let sources = tempfile::tempdir().unwrap();
        fs::write(sources.path().join("Kbuild"), "obj-m := hello.o\n").unwrap();
        let hello = "#include <linux/module.h>\n\
            static int __init hello(void) { pr_alert(\"hello, kernel\\n\"); return 0; }\n\
            module_init(hello);\nMODULE_LICENSE(\"GPL\");\n";
        fs::write(sources.path().join("hello.c"), hello).unwrap();
        let mut make = Command::new("make");
        make.arg("-C").arg(store().headers(kernel).unwrap());
        make.arg(format!("M={}", sources.path().display()))
            .arg("modules");
        let made = make.output().unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );

        let (machine, mut image) = bare(kernel);
        image.module_file(sources.path().join("hello.ko")).unwrap();
        let output = machine
            .run(&image, "dmesg | grep -o 'hello, kernel'")
            .unwrap();
        assert_eq!(output.stdout, "hello, kernel");
    }
}

#[test]
#[ignore = "boots a guest"]
fn a_job_that_does_not_end_is_an_error() {
    let (machine, image) = bare(Kernel::V6_1);
    let error = machine
        .time_limit(Duration::from_secs(10))
        .run(&image, "while :; do :; done");
    assert!(matches!(error, Err(Error::TimedOut { .. })), "{error:?}");
}

#[test]
#[ignore = "boots a guest"]
fn a_guest_that_panics_is_an_error_that_shows_its_console() {
    let (machine, image) = bare(Kernel::V6_1);
    let error = machine.run(&image, "echo c > /proc/sysrq-trigger; sleep 100");
    let Err(Error::NoResult { console }) = error else {
        panic!("{error:?}");
    };
    assert!(console.contains("Kernel panic"), "{console}");
}
