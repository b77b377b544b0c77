//! The settings of a run.

use std::{fmt, path::PathBuf, sync::Arc};

use crate::name::{Kind, PackageName};

/// What to generate, from where, to where.
///
/// The whole of a `build.rs`:
///
/// ```no_run
/// fn main() -> Result<(), rosidl_buffer_gen::Error> {
///     rosidl_buffer_gen::Config::new().package("sensor_msgs").generate().map(drop)
/// }
/// ```
///
/// and in the crate `include!(concat!(env!("OUT_DIR"), "/interfaces.rs"));`, which declares a module
/// for each package: `sensor_msgs::msg::Image`.
///
/// A package is looked for in the search paths, then in the prefixes of `AMENT_PREFIX_PATH`, then
/// among the packages bundled with this crate; the first that has it wins.
#[derive(Debug, Clone)]
#[must_use = "settings do nothing until `generate` is called"]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
pub struct Config {
    pub(crate) search_paths: Vec<PathBuf>,
    /// The value of `AMENT_PREFIX_PATH`, unless it is to be ignored.
    pub(crate) ament_prefixes: Vec<PathBuf>,
    /// Whether the prefixes are those of the environment.
    pub(crate) watches_environment: bool,
    pub(crate) packages: Vec<String>,
    pub(crate) definitions: Vec<(String, String)>,
    pub(crate) extern_paths: Vec<(String, String)>,
    pub(crate) extern_bundled: bool,
    pub(crate) buffer_fields: Vec<String>,
    pub(crate) out_dir: Option<PathBuf>,
    pub(crate) cargo_metadata: bool,
    pub(crate) crate_package: Option<CratePackage>,
    pub(crate) ament: Option<AmentPackage>,
    pub(crate) strict: bool,
    pub(crate) format: bool,
    /// Patterns and what is written above what they match.
    pub(crate) derives: Vec<(String, String)>,
    pub(crate) type_attributes: Vec<(String, String)>,
    pub(crate) field_attributes: Vec<(String, String)>,
    pub(crate) only: Vec<String>,
    pub(crate) except: Vec<String>,
    pub(crate) type_names: Option<NameHook>,
    pub(crate) field_names: Option<NameHook>,
}

/// What gives some things another name.
#[derive(Clone)]
pub(crate) struct NameHook(pub(crate) Arc<Rename>);

type Rename = dyn Fn(&str) -> Option<String> + Send + Sync;

impl fmt::Debug for NameHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameHook")
    }
}

/// A Cargo package to generate.
#[derive(Debug, Clone)]
pub(crate) struct CratePackage {
    pub(crate) name: String,
    pub(crate) runtime: RuntimeSource,
}

/// An ament package, for which the crate of its own is written that a Rust node depends on.
#[derive(Debug, Clone)]
pub(crate) struct AmentPackage {
    pub(crate) name: PackageName,
    /// As Cargo wants it.
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    /// Its interfaces, if these are told and need not be looked for.
    pub(crate) files: Option<Vec<AmentFile>>,
    /// Whether there is a crate of `service_msgs`; before Iron the package is not there.
    pub(crate) has_service_msgs: bool,
}

/// An interface file of a package that is being built.
#[derive(Debug, Clone)]
pub(crate) struct AmentFile {
    pub(crate) kind: Kind,
    pub(crate) path: PathBuf,
    /// The type hashes that ROS 2 made of it in the same build.
    pub(crate) hashes: Option<PathBuf>,
}

/// Where a generated package finds the crate `rosidl_buffer_runtime`.
#[derive(Debug, Clone)]
pub enum RuntimeSource {
    /// A version in the registry, such as `0.1`.
    Version(String),
    /// A folder.
    Path(PathBuf),
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// Settings that name nothing yet. `AMENT_PREFIX_PATH` is taken from the environment.
    pub fn new() -> Self {
        let prefixes = std::env::var_os("AMENT_PREFIX_PATH").unwrap_or_default();
        Self {
            search_paths: Vec::new(),
            ament_prefixes: std::env::split_paths(&prefixes)
                .filter(|prefix| !prefix.as_os_str().is_empty())
                .collect(),
            watches_environment: true,
            packages: Vec::new(),
            definitions: Vec::new(),
            extern_paths: Vec::new(),
            extern_bundled: false,
            buffer_fields: Vec::new(),
            out_dir: None,
            cargo_metadata: true,
            crate_package: None,
            ament: None,
            strict: false,
            format: true,
            derives: Vec::new(),
            type_attributes: Vec::new(),
            field_attributes: Vec::new(),
            only: Vec::new(),
            except: Vec::new(),
            type_names: None,
            field_names: None,
        }
    }

    /// Adds a place to look for packages, after those added before.
    ///
    /// It is a folder of packages, the folder of one package, a prefix in which packages are
    /// installed (`share/<package>/msg`), or a folder of such prefixes, as `install` of colcon is. A
    /// package is called what its `package.xml` says, and without one as its folder. As for colcon,
    /// folders with a file `COLCON_IGNORE` or `AMENT_IGNORE` in them do not count.
    ///
    /// In a prefix counts what ROS 2 would find: the packages in its index
    /// (`share/ament_index/resource_index`), and of each the files that the index lists. Without an
    /// index it is all that is there. Where a file `Name.json` lies beside an interface, in which
    /// ROS 2 installs type hashes, these must be equal to those computed here.
    ///
    /// Cargo is told to watch what was read, and the indexes: a package that is installed later is
    /// noticed. A package that is added to a folder of packages is not, because Cargo looks through
    /// all of a folder that it watches, sources and builds included. Where the folder holds little
    /// else, a build script may print `cargo::rerun-if-changed=` and the folder itself.
    pub fn search_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.search_paths.push(path.into());
        self
    }

    /// Uses these prefixes instead of `AMENT_PREFIX_PATH`; none, if only the search paths and the
    /// bundled packages should count.
    pub fn ament_prefixes(
        mut self,
        prefixes: impl IntoIterator<Item = impl Into<PathBuf>>,
    ) -> Self {
        self.ament_prefixes = prefixes.into_iter().map(Into::into).collect();
        self.watches_environment = false;
        self
    }

    /// Generates code for a package. The packages it refers to come along by themselves.
    ///
    /// If no package is named, it is all that are found in the search paths, and without search
    /// paths all that are bundled.
    pub fn package(mut self, package: impl Into<String>) -> Self {
        self.packages.push(package.into());
        self
    }

    /// Generates code for some packages, as [`package`](Self::package) does for one.
    pub fn packages(mut self, packages: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.packages.extend(packages.into_iter().map(Into::into));
        self
    }

    /// Generates code for a message whose definition is at hand, such as the `ros2msg` schema in an MCAP
    /// recording: the text of the `.msg` file and, behind lines of `=` and `MSG: package/Name`, the texts
    /// of those it refers to. They come before what is found anywhere else; what the text refers to and
    /// does not hold is looked for as usual.
    ///
    /// ```
    /// let schema = format!("Point at\n{}\nMSG: demo_msgs/Point\nfloat32 x\nfloat32 y\n", "=".repeat(80));
    /// let none: [&str; 0] = [];
    /// let config = rosidl_buffer_gen::Config::new().ament_prefixes(none);
    /// let (hashes, _) = config.definition("demo_msgs/msg/Place", schema).type_hashes(&none)?;
    /// assert_eq!(hashes.keys().collect::<Vec<_>>(), ["demo_msgs/msg/Place", "demo_msgs/msg/Point"]);
    /// # Ok::<(), rosidl_buffer_gen::Error>(())
    /// ```
    pub fn definition(mut self, type_name: impl Into<String>, text: impl Into<String>) -> Self {
        self.definitions.push((type_name.into(), text.into()));
        self
    }

    /// Takes the Rust types of a package from a module that exists already:
    /// `.extern_path("std_msgs", "::my_crate::std_msgs")`. The path must be absolute.
    pub fn extern_path(mut self, package: impl Into<String>, path: impl Into<String>) -> Self {
        self.extern_paths.push((package.into(), path.into()));
        self
    }

    /// Takes the Rust types of all bundled packages from the crate `rosidl_buffer_interfaces`,
    /// which the crate must then depend on, with the features of the packages that are used. Services use
    /// `service_msgs`, actions `unique_identifier_msgs` and `builtin_interfaces` as well.
    ///
    /// Packages that are named by [`package`](Self::package) are generated all the same. The
    /// definitions of the others are the bundled ones, whatever lies in the search paths.
    pub fn extern_bundled(mut self) -> Self {
        self.extern_bundled = true;
        self
    }

    /// Keeps fields in a `Buffer`, which may live in another memory than the host's.
    ///
    /// Without it these are the fields of type `uint8[]` and `char[]`. The pattern is compared with
    /// `package/msg/Message.field`; `*` stands for anything but a slash, `**` for anything. What
    /// a pattern with an asterisk matches is kept in a buffer if it is a sequence of numbers; a
    /// pattern without one must name such a field. A pattern that matches nothing is an error.
    ///
    /// ```
    /// let config = rosidl_buffer_gen::Config::new()
    ///     .buffer_fields("sensor_msgs/msg/LaserScan.ranges") // one field
    ///     .buffer_fields("*/msg/*.data") // all fields called `data`
    ///     .buffer_fields("my_package/**"); // all sequences of numbers in a package
    /// # let _ = config;
    /// ```
    pub fn buffer_fields(mut self, pattern: impl Into<String>) -> Self {
        self.buffer_fields.push(pattern.into());
        self
    }

    /// Derives more traits, by their paths, for the structs of messages and of the parts of services and
    /// actions. Patterns are those of [`buffer_fields`](Self::buffer_fields), for type names.
    ///
    /// ```
    /// let config = rosidl_buffer_gen::Config::new()
    ///     .derive("geometry_msgs/msg/Vector3", "PartialOrd, Copy")
    ///     .derive("my_msgs/**", "my_crate::Inspect");
    /// # let _ = config;
    /// ```
    pub fn derive(mut self, pattern: impl Into<String>, traits: impl Into<String>) -> Self {
        self.derives.push((pattern.into(), traits.into()));
        self
    }

    /// Writes an attribute above structs, as [`derive`](Self::derive) chooses them:
    /// `.type_attribute("my_msgs/**", "#[non_exhaustive]")`.
    pub fn type_attribute(
        mut self,
        pattern: impl Into<String>,
        attribute: impl Into<String>,
    ) -> Self {
        self.type_attributes
            .push((pattern.into(), attribute.into()));
        self
    }

    /// Writes an attribute above fields; the pattern is compared with `package/msg/Message.field`.
    pub fn field_attribute(
        mut self,
        pattern: impl Into<String>,
        attribute: impl Into<String>,
    ) -> Self {
        self.field_attributes
            .push((pattern.into(), attribute.into()));
        self
    }

    /// Generates only the interfaces that match this pattern, or another given the same way, and what
    /// these refer to: `.package("sensor_msgs").only("sensor_msgs/msg/*Image")`. A pattern is compared
    /// with the names of files, such as `std_srvs/srv/SetBool`.
    pub fn only(mut self, pattern: impl Into<String>) -> Self {
        self.only.push(pattern.into());
        self
    }

    /// Leaves out the interfaces that match, unless one that is generated refers to them.
    pub fn except(mut self, pattern: impl Into<String>) -> Self {
        self.except.push(pattern.into());
        self
    }

    /// Gives types other names in Rust. The function gets the full name, such as `std_msgs/msg/String`,
    /// of every type that is generated, and may give back a name without a path; the type stays in its
    /// module, and in ROS 2 it is called what it is called. Two types of one name are an error.
    ///
    /// ```
    /// let config = rosidl_buffer_gen::Config::new().type_names(|name| match name {
    ///     "std_msgs/msg/String" => Some("Text".to_owned()),
    ///     _ => None,
    /// });
    /// # let _ = config;
    /// ```
    pub fn type_names(
        mut self,
        hook: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.type_names = Some(NameHook(Arc::new(hook)));
        self
    }

    /// Gives fields other names in Rust, as [`type_names`](Self::type_names) does to types. The function
    /// gets names like `sensor_msgs/msg/Image.data`.
    pub fn field_names(
        mut self,
        hook: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.field_names = Some(NameHook(Arc::new(hook)));
        self
    }

    /// Writes to this folder; without it, to `OUT_DIR`, which Cargo sets for build scripts. A file
    /// `.rosidl_buffer_gen` there tells the next run whether there is anything to do; it may be deleted and
    /// need not be kept with the code.
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Takes every warning for an error: what passes then means to ROS 2's own tools what it means
    /// here. Without it, files at which they stop, or whose values they change on the way, are taken
    /// for what their author meant, with a warning.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Whether the code is laid out for people; it is unless turned off, which saves about half of the
    /// time.
    pub fn format(mut self, enabled: bool) -> Self {
        self.format = enabled;
        self
    }

    /// Whether to print what Cargo wants to hear from a build script: which files to watch, and
    /// warnings. It is on unless turned off.
    pub fn cargo_metadata(mut self, enabled: bool) -> Self {
        self.cargo_metadata = enabled;
        self
    }

    /// Writes a complete Cargo package of this name, not just modules.
    pub fn crate_package(mut self, name: impl Into<String>, runtime: RuntimeSource) -> Self {
        self.crate_package = Some(CratePackage {
            name: name.into(),
            runtime,
        });
        self
    }
}
