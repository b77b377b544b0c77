//! ROS 2's interface packages as Rust types: one compiled crate, so that two crates of one program share one
//! `sensor_msgs::msg::Image`. The definitions are of December 2024, those of `tensor_msgs` and
//! `cuda_buffer_backend_msgs` of 2026; `shm_buffer_backend_msgs` and `cuda_rs_buffer_backend_msgs` are
//! this project's own.
//!
//! Each package is a feature of the same name and brings the packages that it refers to; `all` is all of them. With
//! the feature `serde` every message has serde's traits. The code is made by `rosidl_buffer_gen` from the definitions
//! that it carries; in another crate, `Config::extern_bundled()` refers to these types instead of generating them again.
//! `builtin_interfaces`' `Time` and `Duration` convert to and from those of `std::time`.
//!
//! ```
//! # #[cfg(feature = "sensor_msgs")] {
//! use rosidl_buffer_interfaces::sensor_msgs::msg::Image;
//!
//! let image = Image { encoding: "mono8".to_owned(), data: vec![0; 4].into(), ..Image::default() };
//! assert_eq!(image.data.backend_type(), "cpu");
//! # }
//! ```

#[cfg(feature = "builtin_interfaces")]
mod std_time;

#[cfg(feature = "builtin_interfaces")]
pub use std_time::TimeError;

include!(concat!(env!("OUT_DIR"), "/interfaces.rs"));
