//! The program as a user starts it: two processes, frames, a PNG, one line at the end.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output, Stdio};

use rosidl_buffer_runtime::cuda::Device;

/// Each run in a domain of its own, away from whatever else runs on the machine, other runs of this test included.
fn camera(run: u32, args: &[&str]) -> Output {
    let domain = 100_000_000 + std::process::id() % 1_000_000 * 16 + run;
    Command::new(env!("CARGO_BIN_EXE_camera"))
        .env("ROS_DOMAIN_ID", domain.to_string())
        .args(args)
        .output()
        .unwrap()
}

/// The best memory that both halves have here.
fn best() -> &'static str {
    match Device::all() {
        Ok(devices) if !devices.is_empty() => "cuda",
        _ => "shm",
    }
}

fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .last()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn drawn_frames_arrive_in_the_memory_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.png");
    for (run, backend, arrives) in [
        (4, "cpu", "cpu"),
        (5, "shm", "shm"),
        (6, "auto", best()),
        (8, "cuda", best()),
    ] {
        let size = [
            "--frames", "8", "--width", "64", "--height", "48", "--rate", "50",
        ];
        let rest = ["--backend", backend, "--output", path.to_str().unwrap()];
        let output = camera(run, &[&size[..], &rest].concat());
        let line = last_line(&output);
        let expected = format!("camera: frames=8 lost=0 corrupt=0 backend={arrives} p50_us=");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success() && line.starts_with(&expected),
            "{backend}: {line} {said}"
        );
        let without_a_gpu = "camera: no frames on a GPU, the next best memory is used: ";
        let says = said.matches(without_a_gpu).count();
        let expected = usize::from(backend == "cuda" && arrives != "cuda");
        assert_eq!(says, expected, "{backend}: {said}");
    }
}

#[test]
fn drawn_frames_arrive_and_the_last_is_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first.png");
    let path = first.to_str().unwrap();
    let output = camera(
        1,
        &[
            "--frames", "8", "--width", "64", "--height", "48", "--rate", "50", "--output", path,
        ],
    );
    let line = last_line(&output);
    assert!(
        output.status.success(),
        "{line} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let expected = format!(
        "camera: frames=8 lost=0 corrupt=0 backend={} p50_us=",
        best()
    );
    assert!(line.starts_with(&expected), "{line}");
    let picture = image::open(&first).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (64, 48));
    assert_eq!(
        picture.get_pixel(64 - 28, 1).0,
        [255; 3],
        "the grid's first column has moved by 7 steps of 4 pixels"
    );

    // What was received can be sent again.
    let second = folder.path().join("second.png");
    let output = camera(
        2,
        &[
            "--frames",
            "1",
            "--input",
            path,
            "--output",
            second.to_str().unwrap(),
        ],
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(image::open(&second).unwrap().into_rgb8(), picture);
}

#[test]
fn a_picture_that_cannot_be_read_is_one_clear_error() {
    let output = camera(3, &["--input", "/nowhere.png"]);
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.starts_with("camera: cannot open /nowhere.png: "),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn shm_asked_for_and_not_had_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.png");
    let half = |role: &str, backend: &str| {
        let domain = 100_000_000 + std::process::id() % 1_000_000 * 16 + 7;
        Command::new(env!("CARGO_BIN_EXE_camera"))
            .env("ROS_DOMAIN_ID", domain.to_string())
            .args(["--role", role, "--backend", backend, "--frames", "3"])
            .args(["--width", "64", "--height", "48", "--output"])
            .arg(&path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let subscriber = half("subscriber", "shm");
    let publisher = half("publisher", "cpu");
    assert!(publisher.wait_with_output().unwrap().status.success());
    let output = subscriber.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{error}");
    assert!(
        error.contains("not every frame came in shared memory"),
        "{error}"
    );
    assert!(last_line(&output).contains(" backend=cpu "), "{error}");
}
