//! Generates Rust from ROS 2 interface files.
//!
//! For a `build.rs`, [`Config`] is all there is; the program of the same name does the same from the
//! command line. Read are `.msg`, `.srv`, `.action` and `.idl` files, as ROS 2's own tools read them,
//! from packages in folders, in installed ROS 2 distributions, and from those bundled with this crate.
//! Written is a module tree with one struct for each message and each part of a service or an action,
//! which derives everything else from `rosidl_buffer_runtime`.
//!
//! A build script that needs no program may leave `clap` out with `default-features = false`.
#![forbid(unsafe_code)]

pub mod ament;
mod config;
mod describe;
mod diagnostic;
mod dump;
mod emit;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod installed;
mod load;
mod model;
mod name;
mod output;
mod package;
mod pattern;
mod report;
mod resolve;
mod run;
mod source;
mod stamp;
mod suggest;
mod syntax;

pub use config::{Config, RuntimeSource};
pub use error::Error;
pub use report::Report;
pub use rosidl_type_description::{TypeDescription, TypeHash};
