//! ROS 2's own `sensor_msgs`, with the packages it refers to, as Rust in `OUT_DIR`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    rosidl_buffer_gen::Config::new()
        .package("sensor_msgs")
        .generate()?;
    Ok(())
}
