//! What stands after `--ros-args` on a command line.
//!
//! In: a program's arguments. Out: remap rules, parameter values, log levels and the enclave that they ask for, and what is left
//! for the program itself. Nothing is applied here; a context and its nodes do that. Parsed as `rcl` parses it, with one
//! difference: a flag that is wrong is an error and never left over.

mod remap;
#[cfg(test)]
mod tests;
mod text;
mod yaml;

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

pub(crate) use self::{
    remap::{NameKind, RemapRule, Remapping},
    yaml::NodePattern,
};
use crate::{parameters::ParameterValue, rosout::LogSeverity};

/// Why the ROS arguments of a command line cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// A flag after `--ros-args` that ROS does not know.
    #[error(
        "argument {place} {argument:?} is no ROS argument: end those with `--` before the program's own, or correct it"
    )]
    Unknown {
        /// Its place on the command line; the program's name is 0.
        place: usize,
        /// The argument as written.
        argument: String,
    },
    /// A flag whose value is missing.
    #[error("the ROS argument {flag} at the end of the line needs a value: {expected}")]
    MissingValue {
        /// The flag.
        flag: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// A value that its flag does not take.
    #[error("the ROS argument {flag} {value:?} cannot be used: {why}")]
    Value {
        /// The flag.
        flag: String,
        /// The value as written.
        value: String,
        /// What is wrong and what may stand there.
        why: String,
    },
    /// A parameter file that cannot be used.
    #[error("the parameter file {path:?} cannot be used: {why}")]
    File {
        /// The file.
        path: String,
        /// What is wrong, with its line.
        why: String,
    },
}

/// One value for one parameter of the nodes that a pattern matches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ParameterRule {
    pub(crate) nodes: NodePattern,
    pub(crate) name: String,
    pub(crate) value: ParameterValue,
}

/// The ROS arguments of a command line, as `ros2 run … --ros-args` and launch files give them.
///
/// | argument | meaning |
/// |---|---|
/// | `-r`, `--remap` `from:=to` | another name for a topic or service; `node:from:=to` for one node, `rostopic://` or `rosservice://` before `from` for one of both |
/// | `-r __node:=name`, `-r __ns:=/namespace` | another name or namespace for the node |
/// | `-p`, `--param` `name:=value` | a parameter's value, a scalar or list in YAML; `node:name:=value` for one node |
/// | `--params-file file.yaml` | parameters by node, with `*` and `**` for any nodes |
/// | `--log-level level`, `--log-level logger:=level` | from which severity on [`Node::logger`](crate::Node::logger) speaks |
/// | `--enable-rosout-logs`, `--disable-rosout-logs` | whether it speaks on `/rosout` |
/// | `-e`, `--enclave` `/name` | the enclave that the graph shows; only a context has one |
///
/// `--` ends them, another `--ros-args` begins them again. `--log-config-file`, `--log-file-name` and the switches
/// `stdout-logs` and `external-lib-logs` are read and have no effect, which is logged: where logs go is for the program's
/// subscriber to `tracing` to say. When two values are given for a parameter of a node, the one that stands later holds, however
/// exactly either names the node.
///
/// ```
/// use rosidl_buffer_zenoh::Arguments;
///
/// let line = ["talker", "--fast", "--ros-args", "-r", "chatter:=news", "-p", "rate:=2.5", "--", "file"];
/// let arguments = Arguments::from_args(line)?;
/// assert_eq!(arguments.non_ros_arguments(), ["talker", "--fast", "file"]);
/// # Ok::<(), rosidl_buffer_zenoh::ArgumentError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arguments {
    pub(crate) remap: Vec<RemapRule>,
    pub(crate) parameters: Vec<ParameterRule>,
    pub(crate) log_level: Option<LogSeverity>,
    pub(crate) log_levels: BTreeMap<String, LogSeverity>,
    pub(crate) rosout: Option<bool>,
    pub(crate) enclave: Option<String>,
    others: Vec<OsString>,
}

impl Arguments {
    /// Reads the arguments of this process, and the parameter files that they name.
    ///
    /// # Errors
    /// When a ROS argument cannot be used.
    pub fn from_env() -> Result<Self, ArgumentError> {
        Self::from_args(std::env::args_os())
    }

    /// Reads `args`, the program's name first, and the parameter files that they name.
    ///
    /// # Errors
    /// When a ROS argument cannot be used.
    pub fn from_args<A: Into<OsString>>(
        args: impl IntoIterator<Item = A>,
    ) -> Result<Self, ArgumentError> {
        let mut arguments = Self::default();
        let mut args = args.into_iter().map(Into::into).enumerate();
        let mut is_ros = false;
        while let Some((place, argument)) = args.next() {
            match (is_ros, argument.to_str()) {
                (_, Some("--ros-args")) => is_ros = true,
                (true, Some("--")) => is_ros = false,
                (false, _) => arguments.others.push(argument),
                (true, Some(flag)) => {
                    let mut value = || args.next().map(|(_, value)| value);
                    if !arguments.read(flag, &mut value)? {
                        return Err(unknown(place, &argument));
                    }
                }
                (true, None) => return Err(unknown(place, &argument)),
            }
        }
        Ok(arguments)
    }

    /// What is the program's own, in its order, the program's name included.
    pub fn non_ros_arguments(&self) -> &[OsString] {
        &self.others
    }

    /// Reads one flag, with its value if it takes one. Returns whether there is such a flag.
    fn read(
        &mut self,
        flag: &str,
        value: &mut impl FnMut() -> Option<OsString>,
    ) -> Result<bool, ArgumentError> {
        let mut text = |expected| take(flag, value(), expected);
        match flag {
            "-r" | "--remap" => {
                let rule = text("from:=to")?;
                let parsed = RemapRule::parse(&rule).map_err(|why| wrong(flag, &rule, why))?;
                self.remap.push(parsed);
            }
            "-p" | "--param" => {
                let rule = text("name:=value")?;
                let parsed = parameter_rule(&rule).map_err(|why| wrong(flag, &rule, why))?;
                self.parameters.push(parsed);
            }
            "--params-file" => {
                let path = text("a file")?;
                let file = std::fs::read_to_string(&path).map_err(|error| error.to_string());
                let rules = file.and_then(|text| yaml::parse_file(&text));
                self.parameters
                    .extend(rules.map_err(|why| ArgumentError::File { path, why })?);
            }
            "--log-level" => {
                let rule = text("a level, or logger:=level")?;
                let (logger, level) = match rule.split_once(":=") {
                    Some((logger, level)) => (Some(logger), level),
                    None => (None, rule.as_str()),
                };
                let severity = level.parse().map_err(|why| wrong(flag, &rule, why))?;
                match logger {
                    Some(logger) => drop(self.log_levels.insert(logger.to_owned(), severity)),
                    None => self.log_level = Some(severity),
                }
            }
            "--enable-rosout-logs" => self.rosout = Some(true),
            "--disable-rosout-logs" => self.rosout = Some(false),
            "-e" | "--enclave" => {
                let enclave = text("an enclave, such as /name")?;
                if !enclave.starts_with('/') {
                    return Err(wrong(flag, &enclave, "put a slash in front".to_owned()));
                }
                let checked = crate::key::check_namespace(&enclave);
                let checked = checked.map_err(|why| wrong(flag, &enclave, why.to_string()));
                self.enclave = Some(checked?);
            }
            "--log-config-file" | "--log-file-name" => {
                text("a file")?;
                has_no_effect(flag);
            }
            "--enable-stdout-logs"
            | "--disable-stdout-logs"
            | "--enable-external-lib-logs"
            | "--disable-external-lib-logs" => has_no_effect(flag),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn take(
    flag: &str,
    value: Option<OsString>,
    expected: &'static str,
) -> Result<String, ArgumentError> {
    let Some(value) = value.filter(|value| value != "--ros-args") else {
        let flag = flag.to_owned();
        return Err(ArgumentError::MissingValue { flag, expected });
    };
    value.into_string().map_err(|value| {
        let why = "it is not UTF-8".to_owned();
        wrong(flag, &value.to_string_lossy(), why)
    })
}

/// `name:=value`, or `node:name:=value`.
fn parameter_rule(rule: &str) -> Result<ParameterRule, String> {
    let (left, value) = text::split_rule(rule)?;
    let (node, name) = text::split_node(left)?;
    let is_name = |name: &str| !name.is_empty() && !name.contains(char::is_whitespace);
    if !is_name(name) {
        return Err(format!("{name:?} is no name of a parameter"));
    }
    Ok(ParameterRule {
        nodes: node.map_or_else(NodePattern::any, NodePattern::anywhere),
        name: name.to_owned(),
        value: yaml::parse_value(value)?,
    })
}

fn wrong(flag: &str, value: &str, why: String) -> ArgumentError {
    ArgumentError::Value {
        flag: flag.to_owned(),
        value: value.to_owned(),
        why,
    }
}

fn unknown(place: usize, argument: &OsStr) -> ArgumentError {
    let argument = argument.to_string_lossy().into_owned();
    ArgumentError::Unknown { place, argument }
}

fn has_no_effect(flag: &str) {
    tracing::warn!(
        "the ROS argument {flag} has no effect: logs go where the program's tracing subscriber sends them"
    );
}
