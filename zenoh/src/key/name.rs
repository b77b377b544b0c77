//! Node names, namespaces and topic names: ROS's rules and the way from what a user writes to a full name.
//!
//! Comes in: a name as written (`image`, `/image`, `~/image`, `{node}/image`); goes out: the full name
//! (`/robot/camera/image`). Remapping is not done here.

/// The longest topic name that ROS accepts, in bytes.
const MAX_TOPIC_LEN: usize = 247;
/// The longest node name and namespace.
const MAX_NODE_LEN: usize = 255;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is there.
    #[error("{what} is empty")]
    Empty {
        /// Which kind of name.
        what: &'static str,
    },
    /// A character that the kind of name does not allow.
    #[error("{what} {name:?} contains {character:?}: use letters, digits and underscores{hint}")]
    Character {
        /// Which kind of name.
        what: &'static str,
        /// The name as written.
        name: String,
        /// The first character that is wrong.
        character: char,
        /// What else is allowed.
        hint: &'static str,
    },
    /// A part that begins with a digit.
    #[error(
        "{what} {name:?}: {part:?} begins with a digit; put a letter or an underscore in front"
    )]
    Digit {
        /// Which kind of name.
        what: &'static str,
        /// The name as written.
        name: String,
        /// The part between two slashes.
        part: String,
    },
    /// Two slashes in a row, or one at the end.
    #[error("{what} {name:?} has an empty part: remove the doubled or trailing slash")]
    EmptyPart {
        /// Which kind of name.
        what: &'static str,
        /// The name as written.
        name: String,
    },
    /// A `~` that is not at the start or not followed by a slash.
    #[error("topic name {name:?}: `~` may only stand first, alone or before a slash")]
    Tilde {
        /// The name as written.
        name: String,
    },
    /// A brace that does not close, or a substitution that ROS does not know.
    #[error("topic name {name:?}: only {{node}}, {{ns}} and {{namespace}} are substituted")]
    Substitution {
        /// The name as written.
        name: String,
    },
    /// Longer than ROS allows.
    #[error("{what} {name:?} has {len} bytes, more than {max}")]
    TooLong {
        /// Which kind of name.
        what: &'static str,
        /// The full name.
        name: String,
        /// Its length in bytes.
        len: usize,
        /// The longest that is allowed.
        max: usize,
    },
}

/// Checks a node name: letters, digits and underscores, no digit first.
///
/// # Errors
/// When the name breaks a rule.
pub fn check_node_name(name: &str) -> Result<(), NameError> {
    let what = "node name";
    check_characters(what, name, name, "")?;
    check_len(what, name, MAX_NODE_LEN)
}

/// Checks a namespace and gives its full form: `""` and `"/"` are `"/"`, `"robot"` is `"/robot"`.
///
/// # Errors
/// When the namespace breaks a rule.
pub fn check_namespace(namespace: &str) -> Result<String, NameError> {
    let what = "namespace";
    if namespace.is_empty() || namespace == "/" {
        return Ok("/".to_owned());
    }
    let parts = namespace.strip_prefix('/').unwrap_or(namespace);
    check_parts(what, namespace, parts)?;
    let full = format!("/{parts}");
    check_len(what, &full, MAX_NODE_LEN)?;
    Ok(full)
}

/// Makes a topic name full: `~` becomes the node, a relative name gets the namespace, braces are substituted.
///
/// ```
/// use rosidl_buffer_zenoh::key::expand_topic_name;
///
/// assert_eq!(expand_topic_name("image", "/robot", "camera").unwrap(), "/robot/image");
/// assert_eq!(expand_topic_name("~/image", "/", "camera").unwrap(), "/camera/image");
/// assert!(expand_topic_name("image raw", "/", "camera").is_err());
/// ```
///
/// # Errors
/// When the name breaks one of ROS's rules for topics.
pub fn expand_topic_name(name: &str, namespace: &str, node: &str) -> Result<String, NameError> {
    let what = "topic name";
    if name.is_empty() {
        return Err(NameError::Empty { what });
    }
    let namespace = namespace.trim_end_matches('/');
    let mut text = substitute(name, namespace, node)?;
    if let Some(rest) = text.strip_prefix('~') {
        if !rest.is_empty() && !rest.starts_with('/') {
            return Err(NameError::Tilde {
                name: name.to_owned(),
            });
        }
        text = format!("{namespace}/{node}{rest}");
    } else if !text.starts_with('/') {
        text = format!("{namespace}/{text}");
    }
    if text.contains('~') {
        return Err(NameError::Tilde {
            name: name.to_owned(),
        });
    }
    check_parts(what, name, text.strip_prefix('/').unwrap_or(&text))?;
    check_len(what, &text, MAX_TOPIC_LEN)?;
    Ok(text)
}

/// Replaces `{node}`, `{ns}` and `{namespace}`.
fn substitute(name: &str, namespace: &str, node: &str) -> Result<String, NameError> {
    let wrong = || NameError::Substitution {
        name: name.to_owned(),
    };
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, after) = after.split_once('}').ok_or_else(wrong)?;
        out.push_str(before);
        out.push_str(match inside {
            "node" => node,
            "ns" | "namespace" => namespace,
            _ => return Err(wrong()),
        });
        rest = after;
    }
    if rest.contains('}') {
        return Err(wrong());
    }
    out.push_str(rest);
    Ok(out)
}

fn check_parts(what: &'static str, name: &str, parts: &str) -> Result<(), NameError> {
    for part in parts.split('/') {
        if part.is_empty() {
            return Err(NameError::EmptyPart {
                what,
                name: name.to_owned(),
            });
        }
        check_characters(what, name, part, " between slashes")?;
    }
    Ok(())
}

fn check_characters(
    what: &'static str,
    name: &str,
    part: &str,
    hint: &'static str,
) -> Result<(), NameError> {
    let wrong = |c: &char| !(c.is_ascii_alphanumeric() || *c == '_');
    if let Some(character) = part.chars().find(wrong) {
        return Err(NameError::Character {
            what,
            name: name.to_owned(),
            character,
            hint,
        });
    }
    match part.chars().next() {
        None => Err(NameError::Empty { what }),
        Some(first) if first.is_ascii_digit() => Err(NameError::Digit {
            what,
            name: name.to_owned(),
            part: part.to_owned(),
        }),
        Some(_) => Ok(()),
    }
}

fn check_len(what: &'static str, name: &str, max: usize) -> Result<(), NameError> {
    if name.len() > max {
        let len = name.len();
        return Err(NameError::TooLong {
            what,
            name: name.to_owned(),
            len,
            max,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_names_expand_as_in_ros() {
        for (name, namespace, full) in [
            ("chatter", "/", "/chatter"),
            ("chatter", "/a/b", "/a/b/chatter"),
            ("/chatter", "/a", "/chatter"),
            ("~", "/a", "/a/cam"),
            ("~/raw", "/", "/cam/raw"),
            ("{node}/raw", "/a", "/a/cam/raw"),
            ("{ns}/raw", "/a", "/a/raw"),
            ("{namespace}/raw", "/", "/raw"),
            ("a/_b1", "/", "/a/_b1"),
        ] {
            assert_eq!(
                expand_topic_name(name, namespace, "cam").as_deref(),
                Ok(full)
            );
        }
    }

    #[test]
    fn bad_topic_names_are_refused() {
        for name in [
            "",
            "/",
            "//a",
            "a//b",
            "a/",
            "a b",
            "a*",
            "a/**",
            "1a",
            "a/1b",
            "~a",
            "a/~",
            "~/~",
            "{who}/a",
            "{node",
            "node}",
            "a#b",
            "ä",
            "a?b",
            "$a",
            "a\0b",
            "{node}{node",
            "@ros2_lv",
        ] {
            assert!(expand_topic_name(name, "/", "cam").is_err(), "{name:?}");
        }
        let long = "a".repeat(247);
        assert!(matches!(
            expand_topic_name(&long, "/", "cam"),
            Err(NameError::TooLong { len: 248, .. })
        ));
        assert!(expand_topic_name(&long[1..], "/", "cam").is_ok());
    }

    #[test]
    fn node_names_and_namespaces() {
        assert!(check_node_name("camera_1").is_ok());
        for bad in ["", "1camera", "a/b", "a b", "a-b"] {
            assert!(check_node_name(bad).is_err(), "{bad:?}");
        }
        for (written, full) in [("", "/"), ("/", "/"), ("robot", "/robot"), ("/a/b", "/a/b")] {
            assert_eq!(check_namespace(written).as_deref(), Ok(full));
        }
        for bad in ["/a/", "//", "/a//b", "/1a", "/a-b", "/%"] {
            assert!(check_namespace(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        assert_eq!(
            expand_topic_name("image raw", "/", "cam")
                .unwrap_err()
                .to_string(),
            "topic name \"image raw\" contains ' ': use letters, digits and underscores between slashes"
        );
    }
}
