//! What the derive says of each mistake, and where. `TRYBUILD=overwrite` accepts new texts.

/// The compiler whose wording the snapshots under `tests/types` hold.
const WORDING: &str = "rustc 1.95.";

#[test]
fn mistakes_are_reported_where_they_are() {
    let tests = trybuild::TestCases::new();
    tests.compile_fail("tests/derive/*.rs");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = std::process::Command::new(rustc).arg("--version").output();
    if version.is_ok_and(|output| output.stdout.starts_with(WORDING.as_bytes())) {
        tests.compile_fail("tests/types/*.rs");
    } else {
        println!("skipped tests/types: the texts there are those of {WORDING}x");
    }
}
