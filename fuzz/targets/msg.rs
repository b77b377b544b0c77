//! The text of a `.msg` file through the whole generator; see `rosidl_buffer_gen/src/fuzz.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| rosidl_buffer_gen::fuzz::ros("msg", text));
