//! Was all of this generated before? A file in the output folder that tells.
//!
//! It holds what the last run read (settings, packages, the texts of all interface files) and the sizes
//! and times of what it wrote. Texts are kept and compared whole: that is faster than hashing them, also
//! in a build script, which Cargo compiles without optimisation. A stamp that cannot be read, or says
//! anything else, only costs a full run.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use crate::emit::OutputFile;

/// The name of the file.
const NAME: &str = ".rosidl_buffer_gen";

/// Everything that the output depends on, in a form that can be compared.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    bytes: Vec<u8>,
}

impl Inputs {
    /// Starts with the settings and the program that runs.
    pub(crate) fn new(settings: &str) -> Self {
        let program = std::env::current_exe().ok();
        let program = program.and_then(|path| Some((state(&path)?, path)));
        let mut inputs = Self::default();
        inputs.add(env!("CARGO_PKG_VERSION"));
        inputs.add(&format!("{program:?}"));
        inputs.add(settings);
        inputs
    }

    /// Adds the size and time of a file.
    pub(crate) fn add_state(&mut self, path: &Path) {
        self.add(&state(path).unwrap_or_default());
    }

    /// Adds a text; what was added is told apart from what is added next.
    pub(crate) fn add(&mut self, text: &str) {
        self.bytes.extend_from_slice(&text.len().to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
    }
}

/// What the last run left.
#[derive(Debug)]
pub(crate) struct Stamp {
    inputs: Vec<u8>,
    /// The packages that were read, in their order.
    pub(crate) packages: Vec<String>,
    /// What was written, and what it was like then.
    files: Vec<(PathBuf, String)>,
}

impl Stamp {
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let bytes = fs::read(folder.join(NAME)).ok()?;
        let (length, rest) = bytes.split_first_chunk()?;
        let (inputs, rest) = rest.split_at_checked(usize::from_le_bytes(*length))?;
        let mut lines = std::str::from_utf8(rest).ok()?.lines();
        let packages = lines.next()?.split_whitespace().map(str::to_owned);
        let packages = packages.collect();
        let files = lines.map(|line| {
            let (state, path) = line.split_once('\t')?;
            Some((path.into(), state.to_owned()))
        });
        Some(Self {
            inputs: inputs.to_owned(),
            packages,
            files: files.collect::<Option<_>>()?,
        })
    }

    /// Whether the run would write again what is there.
    pub(crate) fn holds(&self, inputs: &Inputs, folder: &Path) -> bool {
        self.inputs == inputs.bytes
            && self
                .files
                .iter()
                .all(|(path, was)| is_still(folder, path, was))
    }

    /// How many files there are.
    pub(crate) fn files(&self) -> usize {
        self.files.len()
    }

    /// Removes what the last run wrote and this one did not, unless somebody changed it since.
    pub(crate) fn remove_leftovers(&self, folder: &Path, files: &[OutputFile]) {
        for (path, was) in &self.files {
            let is_kept = files.iter().any(|file| file.path == *path);
            if !is_kept && is_still(folder, path, was) {
                // A leftover does no harm.
                let _ = fs::remove_file(folder.join(path));
            }
        }
    }
}

/// Remembers a run that went well.
pub(crate) fn write<'a>(
    folder: &Path,
    inputs: &Inputs,
    packages: impl Iterator<Item = &'a str>,
    files: &[OutputFile],
) -> io::Result<()> {
    let mut bytes = inputs.bytes.len().to_le_bytes().to_vec();
    bytes.extend_from_slice(&inputs.bytes);
    let packages: Vec<_> = packages.collect();
    let mut lines = vec![packages.join(" ")];
    for file in files {
        let path = folder.join(&file.path);
        let state = state(&path).ok_or(io::ErrorKind::NotFound)?;
        lines.push(format!("{state}\t{}", file.path.display()));
    }
    bytes.extend_from_slice(lines.join("\n").as_bytes());
    fs::write(folder.join(NAME), bytes)
}

/// Forgets the last run, before files change.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(NAME)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn is_still(folder: &Path, path: &Path, was: &str) -> bool {
    state(&folder.join(path)).is_some_and(|state| state == was)
}

/// Size and time of a file.
fn state(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {}", metadata.len(), modified.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_until_something_changes() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let file = |path: &str| OutputFile {
            path: path.into(),
            text: "text".to_owned(),
        };
        let files = [file("a.rs"), file("b.rs")];
        for file in &files {
            fs::write(at.join(&file.path), &file.text).unwrap();
        }
        let inputs = |texts: [&str; 2]| {
            let mut inputs = Inputs::new("settings");
            for text in texts {
                inputs.add(text);
            }
            inputs
        };
        assert!(Stamp::read(at).is_none());
        write(at, &inputs(["ab", "c"]), ["p", "q"].into_iter(), &files).unwrap();
        let stamp = Stamp::read(at).unwrap();
        assert_eq!(
            (stamp.packages.join(","), stamp.files()),
            ("p,q".to_owned(), 2)
        );
        assert!(stamp.holds(&inputs(["ab", "c"]), at));
        assert!(!stamp.holds(&inputs(["a", "bc"]), at));
        fs::write(at.join("b.rs"), "other text").unwrap();
        assert!(!stamp.holds(&inputs(["ab", "c"]), at));
        stamp.remove_leftovers(at, &[]);
        assert!(!at.join("a.rs").exists(), "it was written by us");
        assert!(at.join("b.rs").exists(), "somebody changed it");
        assert!(!stamp.holds(&inputs(["ab", "c"]), at));
        remove(at).unwrap();
        remove(at).unwrap();
        for broken in [&b""[..], b"12345678", &[255; 9], b"\0\0\0\0\0\0\0\0p\nx"] {
            fs::write(at.join(NAME), broken).unwrap();
            assert!(Stamp::read(at).is_none(), "{broken:?}");
        }
    }
}
