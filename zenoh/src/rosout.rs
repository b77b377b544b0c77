//! What a node says: to the program's `tracing` subscriber, and on `/rosout` to everybody.
//!
//! In: text and its severity. Out: a `tracing` event and a `rcl_interfaces/msg/Log`, when the logger's level lets it through. A log
//! that cannot be published is given up, said once on `tracing` alone: nothing that is logged here comes back here.

use std::{
    collections::BTreeMap,
    panic::Location,
    str::FromStr,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use rosidl_buffer_interfaces::rcl_interfaces::msg::Log;

use crate::{arguments::Arguments, clock::Clock, publisher::Publisher};

/// The topic, in no namespace.
pub(crate) const TOPIC: &str = "/rosout";

/// How serious it is, with the numbers of `rcl_interfaces/msg/Log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LogSeverity {
    /// For those who look for a fault.
    Debug = 10,
    /// What is as it should be.
    Info = 20,
    /// What may become a fault.
    Warn = 30,
    /// What failed.
    Error = 40,
    /// What ends the program.
    Fatal = 50,
}

impl FromStr for LogSeverity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "debug" => Ok(Self::Debug),
            "info" => Ok(Self::Info),
            "warn" => Ok(Self::Warn),
            "error" => Ok(Self::Error),
            "fatal" => Ok(Self::Fatal),
            _ => Err("a level is one of debug, info, warn, error and fatal".to_owned()),
        }
    }
}

/// The levels that a command line asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogLevels {
    default: Option<LogSeverity>,
    by_logger: BTreeMap<String, LogSeverity>,
}

impl LogLevels {
    /// What the later ones ask for holds before what the earlier ones do.
    pub(crate) fn new<'a>(arguments: impl IntoIterator<Item = &'a Arguments>) -> Self {
        let mut levels = Self::default();
        for arguments in arguments {
            levels.default = arguments.log_level.or(levels.default);
            levels.by_logger.extend(arguments.log_levels.clone());
        }
        levels
    }

    /// The level of a logger: its own, else that of the part of its name before the last dot, and so on, else the default.
    fn of(&self, logger: &str) -> LogSeverity {
        let mut name = logger;
        loop {
            if let Some(level) = self.by_logger.get(name) {
                return *level;
            }
            match name.rsplit_once('.') {
                Some((parent, _)) => name = parent,
                None => return self.default.unwrap_or(LogSeverity::Info),
            }
        }
    }
}

/// Says something in the name of a node; from [`Node::logger`](crate::Node::logger).
///
/// ```no_run
/// use rosidl_buffer_zenoh::Node;
///
/// let node = Node::new("camera")?;
/// node.logger().warn("the lens is dirty");
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
#[derive(Clone)]
pub struct Logger {
    name: Arc<str>,
    level: LogSeverity,
    rosout: Weak<Rosout>,
}

/// The publisher on `/rosout`.
pub(crate) struct Rosout {
    publisher: Publisher<Log>,
    said: AtomicBool,
}

impl Rosout {
    pub(crate) fn new(publisher: Publisher<Log>) -> Self {
        Self {
            publisher,
            said: AtomicBool::new(false),
        }
    }

    fn publish(&self, log: &Log) {
        if let Err(error) = self.publisher.publish(log)
            && !self.said.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("logs are not published any more: {error} (said once)");
        }
    }
}

impl Logger {
    pub(crate) fn new(name: &str, levels: &LogLevels, rosout: Weak<Rosout>) -> Self {
        Self {
            name: name.into(),
            level: levels.of(name),
            rosout,
        }
    }

    /// The name: namespace and name of the node, with dots between the parts.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The least severity that is let through.
    pub fn level(&self) -> LogSeverity {
        self.level
    }

    /// Says `text`, if the level lets it through.
    #[track_caller]
    pub fn log(&self, severity: LogSeverity, text: &str) {
        if severity < self.level {
            return;
        }
        let logger = &*self.name;
        match severity {
            LogSeverity::Debug => tracing::debug!(logger, "{text}"),
            LogSeverity::Info => tracing::info!(logger, "{text}"),
            LogSeverity::Warn => tracing::warn!(logger, "{text}"),
            LogSeverity::Error | LogSeverity::Fatal => tracing::error!(logger, "{text}"),
        }
        let Some(rosout) = self.rosout.upgrade() else {
            return;
        };
        let place = Location::caller();
        rosout.publish(&Log {
            // The system's time even in a simulation, as in rcl. What does not fit is beyond 2038.
            stamp: Clock::system().now().to_message().unwrap_or_default(),
            level: severity as u8,
            name: self.name.to_string(),
            msg: text.to_owned(),
            file: place.file().to_owned(),
            function: String::new(),
            line: place.line(),
        });
    }

    /// Says something for those who look for a fault.
    #[track_caller]
    pub fn debug(&self, text: impl AsRef<str>) {
        self.log(LogSeverity::Debug, text.as_ref());
    }

    /// Says what is as it should be.
    #[track_caller]
    pub fn info(&self, text: impl AsRef<str>) {
        self.log(LogSeverity::Info, text.as_ref());
    }

    /// Says what may become a fault.
    #[track_caller]
    pub fn warn(&self, text: impl AsRef<str>) {
        self.log(LogSeverity::Warn, text.as_ref());
    }

    /// Says what failed.
    #[track_caller]
    pub fn error(&self, text: impl AsRef<str>) {
        self.log(LogSeverity::Error, text.as_ref());
    }

    /// Says what ends the program.
    #[track_caller]
    pub fn fatal(&self, text: impl AsRef<str>) {
        self.log(LogSeverity::Fatal, text.as_ref());
    }
}

impl std::fmt::Debug for Logger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logger")
            .field("name", &self.name)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logger_has_the_level_of_the_nearest_name() {
        let line = "p --ros-args --log-level warn --log-level a:=DEBUG --log-level a.b:=Error";
        let levels = LogLevels::new([&Arguments::from_args(line.split(' ')).unwrap()]);
        for (logger, level) in [
            ("x", LogSeverity::Warn),
            ("a", LogSeverity::Debug),
            ("a.c.d", LogSeverity::Debug),
            ("a.b", LogSeverity::Error),
            ("a.b.c", LogSeverity::Error),
            ("a.bc", LogSeverity::Debug),
        ] {
            assert_eq!(levels.of(logger), level, "{logger}");
        }
        assert_eq!(LogLevels::default().of("x"), LogSeverity::Info);
    }
}
