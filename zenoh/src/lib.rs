//! ROS 2 nodes over Zenoh, compatible with `rmw_zenoh_cpp`.

pub mod key;
mod qos;

pub use qos::{Durability, History, Liveliness, QosProfile, Reliability};
