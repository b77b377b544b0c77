//! Generates the packages whose features are on, from the definitions that the generator carries.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let enabled: Vec<String> = std::env::vars()
        .filter_map(|(name, _)| Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase()))
        .filter(|feature| !["default", "all", "serde"].contains(&feature.as_str()))
        .collect();
    if enabled.is_empty() {
        let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
        std::fs::write(out.join("interfaces.rs"), "")?;
        return Ok(());
    }
    // The bundled definitions and no others, whatever ROS installation is around.
    rosidl_buffer_gen::Config::new()
        .ament_prefixes(Vec::<PathBuf>::new())
        .packages(enabled)
        .generate()?;
    Ok(())
}
