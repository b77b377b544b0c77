//! Patterns for the names of types and fields: `*` stands for anything but a slash, `**` for anything.

/// Whether the pattern stands for the path. Quadratic at worst, whatever the pattern is.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let path = path.as_bytes();
    // Entry `n`: the pattern read so far stands for the first `n` bytes of the path.
    let mut reach = vec![false; path.len() + 1];
    reach[0] = true;
    let mut pattern = pattern.as_bytes();
    while let Some((&first, rest)) = pattern.split_first() {
        pattern = rest;
        if first == b'*' {
            let everything = rest.first() == Some(&b'*');
            if everything {
                pattern = &rest[1..];
            }
            for index in 0..path.len() {
                let passes = everything || path[index] != b'/';
                reach[index + 1] |= reach[index] && passes;
            }
        } else {
            for index in (0..path.len()).rev() {
                reach[index + 1] = reach[index] && path[index] == first;
            }
            reach[0] = false;
        }
    }
    reach[path.len()]
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        let path = "sensor_msgs/msg/Image.data";
        for pattern in [
            path,
            "sensor_msgs/msg/Image.*",
            "sensor_msgs/**",
            "*/msg/*.data",
            "**.data",
            "**",
            "*/*/*",
            "sensor*/msg/Im*e.d*a",
            "s**a",
        ] {
            assert!(matches(pattern, path), "{pattern}");
        }
        for pattern in [
            "",
            "*",
            "sensor_msgs/*",
            "*.data",
            "sensor_msgs/msg/Image",
            "**x",
            "sensor_msgs/msg/Image.dat",
        ] {
            assert!(!matches(pattern, path), "{pattern}");
        }
        assert!(!matches(&"*a".repeat(2000), &"a".repeat(1999)));
    }
}
