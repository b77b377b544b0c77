//! The generators that are compared, each called as its users call it. None of them sees an installed ROS 2.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use hiroz_codegen::{GeneratorConfig, MessageGenerator};
use rosidl_buffer_gen::Config;
use roslibrust_codegen::find_and_generate_ros_messages_without_ros_package_path;

use crate::Packages;

/// Settings of this project's generator.
pub fn ours(packages: &Packages, out: &Path) -> Config {
    let none: [PathBuf; 0] = [];
    Config::new()
        .ament_prefixes(none)
        .search_path(&packages.folder)
        .cargo_metadata(false)
        .out_dir(out)
}

/// `roslibrust_codegen`: one file, not laid out.
pub fn roslibrust(packages: &Packages, out: &Path) {
    let (tokens, _) =
        find_and_generate_ros_messages_without_ros_package_path(vec![packages.folder.clone()])
            .unwrap();
    fs::write(out, tokens.to_string()).unwrap();
}

/// `hiroz-codegen`: one file, laid out. It leaves out actionlib_msgs and messages with wide strings.
pub fn hiroz(packages: &Packages, out: &Path) {
    let config = GeneratorConfig {
        generate_cdr: true,
        generate_protobuf: false,
        generate_type_info: true,
        is_humble: false,
        output_dir: out.to_owned(),
        external_crate: None,
        local_packages: HashSet::new(),
        json_out: None,
    };
    let packages: Vec<&Path> = packages.packages.iter().map(PathBuf::as_path).collect();
    MessageGenerator::new(config)
        .generate_from_msg_files(&packages)
        .unwrap();
}
