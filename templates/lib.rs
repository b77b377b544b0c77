//! Rust types of ROS 2 interfaces.
//!
//! A message is in the module of its package and kind, such as `std_msgs::msg::Header`.

{{ interfaces }}
