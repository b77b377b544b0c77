//! Names that were probably meant.

/// The name that differs least, if it differs in little.
pub(crate) fn closest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = 1 + name.len() / 5;
    candidates
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= allowed)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed && *distance * 2 <= name.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many characters to insert, remove or replace, not counting upper and lower case.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, byte) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(byte != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_close() {
        let names = ["Image", "Imu", "PointCloud", "PointCloud2"];
        let close = |name| closest(name, names.into_iter());
        assert_eq!(close("Imge"), Some("Image"));
        assert_eq!(close("IMU"), Some("Imu"));
        assert_eq!(close("PointCluod2"), Some("PointCloud2"));
        assert_eq!(close("Header"), None);
        assert_eq!(
            closest("d", ["c"].into_iter()),
            None,
            "nothing of it is the same"
        );
        assert_eq!(close(&"I".repeat(100_000)), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
