//! The interface files that all sides read: a folder of packages, each with a `package.xml`, and nothing else in it.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The packages of the repositories common_interfaces, rcl_interfaces (without test_msgs) and unique_identifier_msgs.
const COMMON: [&str; 21] = [
    "action_msgs",
    "actionlib_msgs",
    "builtin_interfaces",
    "composition_interfaces",
    "diagnostic_msgs",
    "geometry_msgs",
    "lifecycle_msgs",
    "nav_msgs",
    "rcl_interfaces",
    "rosgraph_msgs",
    "sensor_msgs",
    "service_msgs",
    "shape_msgs",
    "statistics_msgs",
    "std_msgs",
    "std_srvs",
    "stereo_msgs",
    "trajectory_msgs",
    "type_description_interfaces",
    "unique_identifier_msgs",
    "visualization_msgs",
];

/// A folder of packages.
#[derive(Debug)]
pub struct Packages {
    /// The folder.
    pub folder: PathBuf,
    /// The folder of each package.
    pub packages: Vec<PathBuf>,
    /// How many messages and services there are.
    pub interfaces: usize,
}

impl Packages {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            packages: Vec::new(),
            interfaces: 0,
        }
    }

    fn add(&mut self, package: &str) -> PathBuf {
        let folder = self.folder.join(package);
        fs::create_dir_all(&folder).unwrap();
        let manifest = format!(
            "<package format=\"3\"><name>{package}</name><buildtool_depend>ament_cmake</buildtool_depend></package>\n"
        );
        fs::write(folder.join("package.xml"), manifest).unwrap();
        self.packages.push(folder.clone());
        folder
    }
}

/// Copies the messages and services of ROS 2's common packages.
pub fn common(to: &Path) -> Packages {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../msg");
    let mut all = Packages::new(to);
    for package in COMMON {
        let folder = all.add(package);
        for kind in ["msg", "srv"] {
            let Ok(files) = fs::read_dir(from.join(package).join(kind)) else {
                continue;
            };
            fs::create_dir_all(folder.join(kind)).unwrap();
            for file in files.map(|entry| entry.unwrap()) {
                fs::copy(file.path(), folder.join(kind).join(file.file_name())).unwrap();
                all.interfaces += 1;
            }
        }
    }
    all
}

/// Writes a package of `count` messages of 20 fields. Of ten each, nine have a field of the type of the first.
pub fn synthetic(to: &Path, count: usize) -> Packages {
    const TYPES: [&str; 19] = [
        "bool",
        "uint8",
        "int16",
        "uint32",
        "int64",
        "float32",
        "float64",
        "string",
        "uint8[]",
        "float32[9]",
        "float64[]",
        "string[]",
        "int8",
        "uint16",
        "int32",
        "uint64",
        "float64[36]",
        "string<=32",
        "uint32[<=8]",
    ];
    let mut all = Packages::new(to);
    let folder = all.add("synthetic_msgs").join("msg");
    fs::create_dir_all(&folder).unwrap();
    for index in 0..count {
        let mut text = format!("# Message {index} of {count}.\n\n");
        for (field, name) in TYPES.iter().enumerate() {
            writeln!(
                text,
                "{name} field_{field}  # field {field} of message {index}"
            )
            .unwrap();
        }
        let last = if index % 10 == 0 {
            "int32".to_owned()
        } else {
            format!("Message{}", index / 10 * 10)
        };
        writeln!(text, "{last} last").unwrap();
        fs::write(folder.join(format!("Message{index}.msg")), text).unwrap();
    }
    all.interfaces = count;
    all
}
