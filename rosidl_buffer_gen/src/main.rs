//! The program: the library's steps from the command line.
//!
//! It ends with 0 when all went well, with 1 when something is wrong with the input, and with 2 when
//! it was called wrongly.
#![forbid(unsafe_code)]

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use rosidl_buffer_gen::{Config, Error, Report, RuntimeSource, ament};

/// Generates Rust from ROS 2 interface files.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Tell where packages were found and what was written.
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Write Rust modules, or a Cargo package, for interface packages.
    Generate {
        /// The folder to write to.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Write a complete Cargo package of this name.
        #[arg(long = "crate", value_name = "NAME")]
        crate_name: Option<String>,
        /// Where that package finds `rosidl_buffer_runtime`: a folder or a version.
        #[arg(long, value_name = "PATH|VERSION", requires = "crate_name", value_parser = runtime_source)]
        runtime: Option<RuntimeSource>,
        #[command(flatten)]
        search: Search,
        /// A package to generate, with those it refers to. Without it, all in the search paths;
        /// without these, all that are bundled.
        #[arg(long = "package", value_name = "NAME")]
        packages: Vec<String>,
    },
    /// Print the type hash of each type, or of all that are found.
    Hash {
        #[command(flatten)]
        search: Search,
        /// Full type names, such as `std_msgs/msg/Header`.
        #[arg(value_name = "TYPE")]
        types: Vec<String>,
    },
    /// Print the description of a type as the JSON that ROS 2 installs.
    Describe {
        #[command(flatten)]
        search: Search,
        /// A full type name, such as `std_msgs/msg/Header`.
        #[arg(value_name = "TYPE")]
        type_name: String,
    },
    /// Print what interface files say, after everything was looked up: a JSON object for each message,
    /// with fields, default values, constants and comments.
    Dump {
        #[command(flatten)]
        search: Search,
        /// A package to print. Without it, all in the search paths; without these, all that are bundled.
        #[arg(long = "package", value_name = "NAME")]
        packages: Vec<String>,
    },
    /// Tell what is wrong with interface files.
    Check {
        #[command(flatten)]
        search: Search,
        /// How to tell it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Interface files, packages, or folders of packages.
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
    /// Write the crate `<package>_buffer` of an interface package; for CMake.
    Ament {
        /// What rosidl_write_generator_arguments() wrote.
        #[arg(long, value_name = "FILE")]
        generator_arguments_file: PathBuf,
        /// The package's `package.xml`, which has the crate's version and licence.
        #[arg(long, value_name = "FILE")]
        package_xml: Option<PathBuf>,
        /// Written anew by every run that goes well, the last of all files: what CMake compares with the
        /// times of what was read.
        #[arg(long, value_name = "FILE")]
        stamp: Option<PathBuf>,
    },
    /// Write such crates for packages that are installed in the prefixes of `AMENT_PREFIX_PATH` and have
    /// none, because they were built without `rosidl_generator_buffer_rs`.
    AmentUnderlay {
        /// A folder that becomes a prefix: put it into `AMENT_PREFIX_PATH`.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// A package to write a crate for, with those it refers to. Without it, all.
        #[arg(long = "package", value_name = "NAME")]
        packages: Vec<String>,
    },
    /// Write the crates that generated code needs as they are installed; for CMake.
    AmentRuntime {
        /// The folder with the sources of this project.
        #[arg(long, value_name = "DIR")]
        repository: PathBuf,
        /// Where to put `share/<crate>/rust`.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Print a `.cargo/config.toml` with which Cargo finds the crates of the prefixes in
    /// `AMENT_PREFIX_PATH`, outside of colcon. Call it in the folder of the package that is built.
    CargoConfig {
        /// A package whose crate is used; those that it needs come along. Without it, all that are there,
        /// and what is not used is noted in `Cargo.lock`.
        #[arg(long = "package", value_name = "NAME")]
        packages: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, on standard error.
    #[default]
    Text,
    /// For programs: a JSON object in each line of standard output.
    Json,
}

#[derive(Args)]
struct Search {
    /// A folder of packages, one package, an installation prefix, or the folder `install` of colcon;
    /// looked through before `AMENT_PREFIX_PATH` and the bundled packages.
    #[arg(long = "search-path", value_name = "PATH")]
    search_paths: Vec<PathBuf>,
    /// A message and the file of its definition, which may hold those that it refers to, as the schemas
    /// in MCAP recordings do. It comes before all other places.
    #[arg(long = "definition", value_name = "TYPE=FILE", value_parser = definition)]
    definitions: Vec<(String, String)>,
    /// Take every warning for an error: what passes means to ROS 2's own tools what it means here.
    #[arg(long)]
    strict: bool,
}

impl Search {
    fn config(self) -> Config {
        let config = Config::new().cargo_metadata(false).strict(self.strict);
        let config = self
            .search_paths
            .into_iter()
            .fold(config, Config::search_path);
        let definitions = self.definitions.into_iter();
        definitions.fold(config, |config, (name, text)| config.definition(name, text))
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let colors = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let format = match cli.command {
        Command::Check { format, .. } => format,
        _ => Format::Text,
    };
    // Who reads may have read enough, so that writing to them fails: that is no fault.
    match (run(cli.command), format) {
        (Ok(done), Format::Text) => {
            if done.report.has_warnings() {
                eprintln!("{}", done.report.render_warnings(colors));
            }
            if cli.verbose {
                tell_places(&done.report);
            }
            let _ = io::stdout().write_all(done.output.as_bytes());
            ExitCode::SUCCESS
        }
        (Ok(done), Format::Json) => {
            let _ = io::stdout().write_all(done.report.render_warnings_json().as_bytes());
            ExitCode::SUCCESS
        }
        (Err(error), Format::Text) => {
            eprint!("{}", error.render(colors));
            ExitCode::FAILURE
        }
        (Err(error), Format::Json) => {
            let _ = io::stdout().write_all(error.render_json().as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// Where packages were found, and what they hide there.
fn tell_places(report: &Report) {
    for prefix in report.missing_prefixes() {
        eprintln!("prefix {}: not there, passed over", prefix.display());
    }
    for (package, found) in report.packages() {
        let hidden = report.hidden().filter(|(name, _)| *name == package);
        let hidden: Vec<_> = hidden.map(|(_, place)| place).collect();
        if hidden.is_empty() {
            eprintln!("package {package}: {found}");
        } else {
            eprintln!("package {package}: {found} (hides {})", hidden.join(", "));
        }
    }
}

/// What a command has to tell.
struct Done {
    report: Report,
    output: String,
}

impl Done {
    fn told(output: String) -> Self {
        Self {
            report: Report::default(),
            output,
        }
    }
}

fn run(command: Command) -> Result<Done, Error> {
    match command {
        Command::Generate {
            out,
            crate_name,
            runtime,
            search,
            packages,
        } => {
            let mut config = search.config().out_dir(out).packages(packages);
            if let Some(name) = crate_name {
                let own_version = || RuntimeSource::Version(env!("CARGO_PKG_VERSION").to_owned());
                config = config.crate_package(name, runtime.unwrap_or_else(own_version));
            }
            let report = config.generate()?;
            let output = counts(&report);
            Ok(Done { report, output })
        }
        Command::Hash { search, types } => {
            let (hashes, report) = search.config().type_hashes(&types)?;
            let lines = hashes
                .iter()
                .map(|(name, hash)| format!("{name}\t{hash}\n"));
            Ok(Done {
                output: lines.collect(),
                report,
            })
        }
        Command::Describe { search, type_name } => {
            let (descriptions, report) = search.config().describe(&[type_name])?;
            let texts = descriptions.values();
            let texts = texts.map(|description| format!("{}\n", description.hashed_json()));
            Ok(Done {
                output: texts.collect(),
                report,
            })
        }
        Command::Dump { search, packages } => {
            let (output, report) = search.config().packages(packages).dump()?;
            Ok(Done { report, output })
        }
        Command::Check { search, paths, .. } => {
            let report = search.config().check(&paths)?;
            let output = format!("no errors, interfaces: {}\n", report.interfaces());
            Ok(Done { report, output })
        }
        Command::Ament {
            generator_arguments_file,
            package_xml,
            stamp,
        } => {
            let report = ament::generate(
                &generator_arguments_file,
                package_xml.as_deref(),
                stamp.as_deref(),
            )?;
            let output = counts(&report);
            Ok(Done { report, output })
        }
        Command::AmentUnderlay { out, packages } => {
            let done = ament::generate_underlay(&ament_prefixes(), &out, &packages)?;
            let count = format!(
                "crates written: {}, already there: {}",
                done.packages.len(),
                done.present
            );
            let lines = done.packages.into_iter().chain([count]);
            let output = lines.map(|line| line + "\n").collect();
            Ok(Done::told(output))
        }
        Command::AmentRuntime { repository, out } => {
            let names = ament::write_runtime_crates(&repository, &out)?;
            Ok(Done::told(format!("crates: {}\n", names.join(", "))))
        }
        Command::CargoConfig { packages } => {
            // A folder that cannot be told is that of no package.
            let folder = std::env::current_dir().unwrap_or_default();
            ament::cargo_config(&ament_prefixes(), &packages, &folder).map(Done::told)
        }
    }
}

fn counts(report: &Report) -> String {
    format!(
        "interfaces: {}, packages: {}, files written: {}, unchanged: {}\n",
        report.interfaces(),
        report.packages().count(),
        report.files_written(),
        report.files_unchanged()
    )
}

fn ament_prefixes() -> Vec<PathBuf> {
    let prefixes = std::env::var_os("AMENT_PREFIX_PATH").unwrap_or_default();
    std::env::split_paths(&prefixes)
        .filter(|prefix| !prefix.as_os_str().is_empty())
        .collect()
}

/// What starts like a version requirement is one; everything else must be a folder.
fn runtime_source(text: &str) -> Result<RuntimeSource, String> {
    if text.starts_with(|first: char| first.is_ascii_digit() || "^~=<>*".contains(first)) {
        return Ok(RuntimeSource::Version(text.to_owned()));
    }
    let path = Path::new(text);
    if !path.join("Cargo.toml").is_file() {
        return Err("neither a version nor a folder with a Cargo.toml".to_owned());
    }
    // The generated package lies elsewhere.
    let path = path.canonicalize().map_err(|error| error.to_string())?;
    Ok(RuntimeSource::Path(path))
}

/// The type and the text of its definition.
fn definition(argument: &str) -> Result<(String, String), String> {
    let (name, path) = argument.split_once('=').ok_or("expected TYPE=FILE")?;
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), text))
}
