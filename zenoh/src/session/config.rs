//! How the Zenoh session is configured when nobody says otherwise, and who may say otherwise.
//!
//! In: the environment and the context's builder. Out: a `zenoh::Config`. A configuration file replaces
//! the defaults, single settings change either. `ZENOH_SESSION_CONFIG_URI`, `ZENOH_CONFIG_OVERRIDE` and
//! `ROS_DOMAIN_ID` mean what they mean to `rmw_zenoh_cpp`.

use std::{env, path::Path};

use super::range::{Discovery, RANGE_VARIABLE};
use crate::error::{Error, Result};

const CONFIG_FILE_VARIABLE: &str = "ZENOH_SESSION_CONFIG_URI";
const OVERRIDE_VARIABLE: &str = "ZENOH_CONFIG_OVERRIDE";
const DOMAIN_VARIABLE: &str = "ROS_DOMAIN_ID";

/// Where a ROS router on this machine listens.
pub(super) const LOCAL_ROUTER: &str = "tcp/localhost:7447";

/// Where the configuration starts from.
#[derive(Debug, Clone, Default)]
pub(super) enum Base {
    /// The file that the environment names, else the defaults.
    #[default]
    Environment,
    /// A file named in the program.
    File(String),
    /// A configuration made in the program.
    Given(Box<zenoh::Config>),
}

/// A configuration and whether it began as the defaults.
pub(super) struct Loaded {
    pub(super) config: zenoh::Config,
    pub(super) is_default: bool,
}

/// Reads the base, then applies the settings of the environment, then those of the program. How far to look for others
/// changes the defaults only.
pub(super) fn load(
    base: Base,
    settings: &[(String, String)],
    multicast: bool,
    discovery: &Discovery,
) -> Result<Loaded> {
    let file = match &base {
        Base::File(path) => Some((path.clone(), "given to the context")),
        Base::Environment => {
            variable(CONFIG_FILE_VARIABLE).map(|path| (path, CONFIG_FILE_VARIABLE))
        }
        Base::Given(_) => None,
    };
    let is_default = file.is_none() && !matches!(base, Base::Given(_));
    let mut config = match (file, base) {
        (Some((path, origin)), _) => read_file(&path, origin)?,
        (None, Base::Given(config)) => *config,
        (None, _) => default_config(multicast)?,
    };
    if is_default {
        for (key, value) in discovery.settings() {
            set(&mut config, key, &value, RANGE_VARIABLE)?;
        }
    } else {
        discovery.say_ignored();
    }
    if let Some(text) = variable(OVERRIDE_VARIABLE) {
        for setting in split_overrides(&text) {
            let (key, value) = setting
                .split_once('=')
                .ok_or_else(|| Error::ConfigSetting {
                    setting: setting.to_owned(),
                    origin: OVERRIDE_VARIABLE,
                    cause: "there is no `=`".into(),
                })?;
            set(&mut config, key.trim(), value.trim(), OVERRIDE_VARIABLE)?;
        }
    }
    for (key, value) in settings {
        set(&mut config, key, value, "given to the context")?;
    }
    // Advanced publishers number their samples by time; a configuration that says nothing gets it.
    if config
        .get_json("timestamping/enabled")
        .is_ok_and(|value| value == "null")
    {
        set(&mut config, "timestamping/enabled", "true", "default")?;
    }
    Ok(Loaded { config, is_default })
}

/// The domain that the environment asks for; 0 when it does not.
pub(super) fn domain_from_environment() -> Result<u32> {
    match env::var_os(DOMAIN_VARIABLE) {
        None => Ok(0),
        Some(value) => parse_domain(&value.to_string_lossy()),
    }
}

fn parse_domain(value: &str) -> Result<u32> {
    match value.trim() {
        "" => Ok(0),
        digits => digits.parse().map_err(|_| Error::DomainId {
            value: value.to_owned(),
        }),
    }
}

/// Peers on the loopback interface only, which a ROS router on this machine may join to others.
///
/// `multicast` turns on Zenoh's own scouting, kept to the loopback interface; see `rendezvous` for what
/// is used where it can be.
fn default_config(multicast: bool) -> Result<zenoh::Config> {
    let mut config = zenoh::Config::default();
    for (key, value) in [
        ("mode", r#""peer""#),
        ("connect/endpoints", &format!("[{LOCAL_ROUTER:?}]")),
        (
            "connect/retry",
            "{period_init_ms: 1000, period_max_ms: 4000, period_increase_factor: 2}",
        ),
        ("listen/endpoints", r#"["tcp/127.0.0.1:0"]"#),
        (
            "scouting/multicast/enabled",
            if multicast { "true" } else { "false" },
        ),
        ("scouting/multicast/interface", r#""127.0.0.1""#),
        // A packet with a time-to-live of 0 cannot leave the machine whatever the routes are.
        ("scouting/multicast/ttl", "0"),
        ("scouting/gossip/enabled", "true"),
        ("timestamping/enabled", "true"),
        ("queries_default_timeout", "600000"),
        // Nobody waits half a second for a router that is not there.
        ("open/return_conditions/connect_scouted", "false"),
    ] {
        set(&mut config, key, value, "default")?;
    }
    Ok(config)
}

fn read_file(path: &str, origin: &'static str) -> Result<zenoh::Config> {
    let cannot = |cause| Error::ConfigFile {
        path: path.to_owned(),
        origin,
        cause,
    };
    let known = ["json", "json5", "yaml", "yml", "toml"];
    let extension = Path::new(path)
        .extension()
        .and_then(|extension| extension.to_str());
    if !extension.is_some_and(|extension| known.contains(&extension)) {
        return Err(cannot("its name must end in .json5, .json or .yaml".into()));
    }
    zenoh::Config::from_file(path).map_err(cannot)
}

fn set(config: &mut zenoh::Config, key: &str, value: &str, origin: &'static str) -> Result<()> {
    config
        .insert_json5(key, value)
        .map_err(|cause| Error::ConfigSetting {
            setting: format!("{key}={value}"),
            origin,
            cause,
        })
}

fn variable(name: &str) -> Option<String> {
    let value = env::var_os(name)?;
    (!value.is_empty()).then(|| value.to_string_lossy().into_owned())
}

/// Splits `key=value;key=value` at the semicolons outside quotes.
fn split_overrides(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quote, mut escaped) = (0, None, false);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, ';') => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        assert_eq!(parse_domain("42").ok(), Some(42));
        assert_eq!(parse_domain("").ok(), Some(0));
        for bad in ["-1", "x", "1.5", "4294967296"] {
            let error = parse_domain(bad).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("ROS_DOMAIN_ID is {bad:?}: set it")),
                "{error}"
            );
        }
    }

    #[test]
    fn the_defaults_listen_on_loopback_only() {
        let config = default_config(false).unwrap();
        let json = |key| config.get_json(key).unwrap();
        assert_eq!(json("mode"), r#""peer""#);
        assert_eq!(json("listen/endpoints"), r#"["tcp/127.0.0.1:0"]"#);
        assert_eq!(json("connect/endpoints"), r#"["tcp/localhost:7447"]"#);
        assert_eq!(json("scouting/multicast/enabled"), "false");
        let config = default_config(true).unwrap();
        assert_eq!(
            config.get_json("scouting/multicast/interface").unwrap(),
            r#""127.0.0.1""#
        );
        assert_eq!(config.get_json("scouting/multicast/ttl").unwrap(), "0");
    }

    #[test]
    fn settings_are_split_outside_quotes() {
        assert_eq!(
            split_overrides(r#"mode="client";x="a;b\";c";; y=['d;e'] ;"#),
            [r#"mode="client""#, r#"x="a;b\";c""#, " y=['d;e'] "]
        );
    }

    #[test]
    fn settings_of_the_program_win_and_bad_ones_are_named() {
        let settings = [("mode".to_owned(), r#""client""#.to_owned())];
        let loaded = load(
            Base::Given(Box::default()),
            &settings,
            false,
            &Discovery::default(),
        )
        .unwrap();
        assert!(!loaded.is_default);
        assert_eq!(loaded.config.get_json("mode").unwrap(), r#""client""#);
        assert_eq!(
            loaded.config.get_json("timestamping/enabled").unwrap(),
            "true"
        );
        for (key, value) in [("no/such/key", "1"), ("mode", "{"), ("mode", r#""boss""#)] {
            let settings = [(key.to_owned(), value.to_owned())];
            let error = load(
                Base::Given(Box::default()),
                &settings,
                false,
                &Discovery::default(),
            )
            .err()
            .unwrap();
            let text = error.to_string();
            assert!(
                text.contains(&format!("{:?}", format!("{key}={value}"))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_file_replaces_the_defaults() {
        let folder =
            std::env::temp_dir().join(format!("rosidl_buffer_zenoh_{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let good = folder.join("good.json5");
        std::fs::write(
            &good,
            "{mode: 'client', connect: {endpoints: ['tcp/127.0.0.1:9']}}",
        )
        .unwrap();
        let load_file = |path: &Path| {
            let base = Base::File(path.to_string_lossy().into_owned());
            load(base, &[], false, &Discovery::default())
        };
        let loaded = load_file(&good).unwrap();
        assert!(!loaded.is_default);
        assert_eq!(loaded.config.get_json("mode").unwrap(), r#""client""#);
        std::fs::write(folder.join("empty.json5"), "").unwrap();
        std::fs::write(folder.join("broken.json5"), "{mode: 'boss'}").unwrap();
        std::fs::write(folder.join("no_extension"), "{}").unwrap();
        for bad in [
            "empty.json5",
            "broken.json5",
            "no_extension",
            "not_there.json5",
        ] {
            let error = load_file(&folder.join(bad)).err().unwrap().to_string();
            assert!(
                error.contains(bad) && error.contains("cannot be used"),
                "{error}"
            );
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
