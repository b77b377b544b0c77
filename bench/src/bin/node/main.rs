//! What a node costs: small messages beside bare Zenoh, zero-copy subscribers one and eight, discovery, and a minute of
//! fifty topics.
//!
//! `cargo run --release --manifest-path bench/Cargo.toml --features zenoh --bin node -- [small|many|discovery|steady]`.
//! Always between processes that the program starts itself, over TCP on the loopback interface, without a router. The tables are printed.

mod discovery;
mod many;
mod process;
mod small;
mod steady;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [] => {
            small::measure();
            many::measure();
            discovery::measure();
            steady::measure();
        }
        ["small"] => small::measure(),
        ["many"] => many::measure(),
        ["discovery"] => discovery::measure(),
        ["steady"] => steady::measure(),
        // The other processes.
        ["echo"] => small::echo(),
        ["viewer"] => many::viewer(),
        ["crowd"] => discovery::crowd(),
        ["publisher", history] => steady::publisher(history),
        ["subscriber", history] => steady::subscriber(history),
        _ => panic!("small, many, discovery, steady, or nothing for all; not {words:?}"),
    }
}
