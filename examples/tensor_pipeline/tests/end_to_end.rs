//! The program as a user starts it: two processes, tensors, one line at the end.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use rosidl_buffer_runtime::cuda::Device;

/// Each run in a domain of its own, away from whatever else runs on the machine, other runs of this test included.
fn pipeline(run: u32, args: &[&str], variable: Option<&str>) -> Output {
    let domain = 200_000_000 + std::process::id() % 1_000_000 * 16 + run;
    let mut command = Command::new(env!("CARGO_BIN_EXE_tensor_pipeline"));
    command
        .env("ROS_DOMAIN_ID", domain.to_string())
        .env_remove("ROSIDL_TENSOR_BACKEND");
    if let Some(backend) = variable {
        command.env("ROSIDL_TENSOR_BACKEND", backend);
    }
    let size = ["--frames", "8", "--width", "64", "--height", "48"];
    let size = size.into_iter().chain(["--rate", "50"]);
    command.args(size).args(args).output().unwrap()
}

/// The best memory that both halves have here.
fn best() -> &'static str {
    match Device::all() {
        Ok(devices) if !devices.is_empty() => "cuda",
        _ => "shm",
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn assert_arrived(output: &Output, backend: &str) {
    let lines = String::from_utf8_lossy(&output.stdout);
    let line = lines.lines().last().unwrap_or_default();
    let expected = format!("tensor_pipeline: frames=8 lost=0 wrong=0 backend={backend} p50_us=");
    assert!(
        output.status.success() && line.starts_with(&expected),
        "{backend}: {line} {}",
        said(output)
    );
}

#[test]
fn tensors_arrive_in_the_memory_asked_for_and_give_the_right_answer() {
    for (run, asked, arrives) in [
        (1, "cpu", "cpu"),
        (2, "shm", "shm"),
        (3, "auto", best()),
        (4, "cuda", best()),
    ] {
        let output = pipeline(run, &["--backend", asked], None);
        assert_arrived(&output, arrives);
        let without_a_gpu = "tensor_pipeline: no tensors on a GPU, the next best memory is used: ";
        let expected = usize::from(asked == "cuda" && arrives != "cuda");
        assert_eq!(said(&output).matches(without_a_gpu).count(), expected);
    }
}

#[test]
fn a_picture_that_cannot_be_read_is_one_clear_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_tensor_pipeline"))
        .args(["--input", "/nowhere.jpg"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = said(&output);
    let expected = "tensor_pipeline: cannot read /nowhere.jpg: ";
    assert!(
        said.starts_with(expected) && said.lines().count() == 1,
        "{said}"
    );
}

#[test]
fn the_environment_names_the_memory() {
    assert_arrived(&pipeline(5, &[], Some("cpu")), "cpu");
    assert_arrived(&pipeline(6, &[], Some("shm")), "shm");
    let output = pipeline(7, &[], Some("tape"));
    assert!(!output.status.success());
    let expected = "ROSIDL_TENSOR_BACKEND asks for the backend `tape`, which is not available here; there are: cpu, ";
    assert!(said(&output).contains(expected), "{}", said(&output));
}
