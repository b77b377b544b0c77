//! Loaded texts and places in them.
//!
//! A file comes in as bytes; what goes out is text that is known to be UTF-8 and not too large,
//! with the file's name for messages. Spans are byte ranges of the text as it is in the file.

use std::{
    fs,
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// Files larger than this are refused: no interface file is, and one that claims to be is an accident.
pub(crate) const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A place in a text.
pub(crate) type Span = Range<usize>;

/// A text and where it comes from.
#[derive(Debug, Default)]
pub(crate) struct Source {
    name: String,
    text: String,
    /// Where each line starts; made when the first place is asked for.
    lines: OnceLock<Vec<usize>>,
}

impl Source {
    pub(crate) fn new(name: String, text: String) -> Self {
        Self {
            name,
            text,
            lines: OnceLock::new(),
        }
    }

    /// The path as given, or a description such as `bundled std_msgs/msg/Header.msg`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The number of the line, from 0, that a byte is in, and the line's first byte.
    pub(crate) fn line_of(&self, offset: usize) -> (usize, usize) {
        let starts = self.lines.get_or_init(|| {
            std::iter::once(0)
                .chain(lines(&self.text).map(|line| line.end_with_separator))
                .collect()
        });
        let line = starts.partition_point(|start| *start <= offset) - 1;
        (line, starts[line])
    }
}

/// A line of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// What is in the line, without what ends it.
    pub(crate) span: Span,
    /// Where the next line starts.
    pub(crate) end_with_separator: usize,
}

/// The lines of a text, as Python's `splitlines` takes it apart.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Line> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let length = rest.find(ends_line).unwrap_or(rest.len());
        let separator = if rest[length..].starts_with("\r\n") {
            2
        } else {
            rest[length..].chars().next().map_or(0, char::len_utf8)
        };
        let line = Line {
            span: start..start + length,
            end_with_separator: start + length + separator,
        };
        start = line.end_with_separator;
        Some(line)
    })
}

/// Why a text cannot be had.
#[derive(Debug)]
pub(crate) enum ReadError {
    Io(io::Error),
    /// The file has more than [`MAX_BYTES`].
    TooLarge,
    /// The text up to the first bad byte is as in the file.
    NotUtf8 {
        lossy: Source,
        bad: Span,
    },
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error,
            ReadError::TooLarge => {
                let text = format!("it is larger than {} MiB", MAX_BYTES / 1024 / 1024);
                Self::new(io::ErrorKind::InvalidData, text)
            }
            ReadError::NotUtf8 { .. } => Self::new(io::ErrorKind::InvalidData, "it is not UTF-8"),
        }
    }
}

/// Where a text is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    File(PathBuf),
    /// In this crate.
    Bundled {
        name: &'static str,
        text: &'static str,
    },
}

impl Location {
    /// What to call the place in messages.
    pub(crate) fn display(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bundled { name, .. } => format!("bundled {name}"),
        }
    }

    pub(crate) fn read(&self) -> Result<Source, ReadError> {
        let name = self.display();
        match self {
            Self::File(path) => read_file(path, name),
            Self::Bundled { text, .. } => Ok(Source::new(name, (*text).to_owned())),
        }
    }
}

fn read_file(path: &Path, name: String) -> Result<Source, ReadError> {
    // A pipe would be waited for, perhaps for ever.
    if !fs::metadata(path).map_err(ReadError::Io)?.is_file() {
        let error =
            std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a regular file");
        return Err(ReadError::Io(error));
    }
    let file = fs::File::open(path).map_err(ReadError::Io)?;
    let mut bytes = Vec::new();
    // One byte more than allowed, so that also a file that grows, or has no length, is noticed.
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(ReadError::Io)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ReadError::TooLarge);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(name, text)),
        Err(error) => {
            let start = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            Err(ReadError::NotUtf8 {
                lossy: Source::new(name, text),
                bad: start..start + char::REPLACEMENT_CHARACTER.len_utf8(),
            })
        }
    }
}

/// Whether Python calls this character a space: Rust does not count four of the separators.
pub(crate) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// Whether Python's `splitlines` ends a line at this character.
fn ends_line(character: char) -> bool {
    matches!(
        character,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_python_ends_them() {
        let text =
            "a\nb\r\nc\rd\u{b}e\u{c}f\u{1c}g\u{1d}h\u{1e}i\u{85}j\u{2028}k\u{2029}l\u{1f}m\n\nn";
        let found: Vec<_> = lines(text).map(|line| &text[line.span]).collect();
        assert_eq!(
            found,
            [
                "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l\u{1f}m", "", "n"
            ]
        );
        assert_eq!(lines("").count(), 0);
        assert_eq!(lines("\n").count(), 1);
        assert_eq!(lines("a\n").count(), 1);
    }

    #[test]
    fn places_are_found_by_line() {
        let source = Source::new("x".to_owned(), "ab\n\ncd\n".to_owned());
        let places: Vec<_> = (0..=7).map(|offset| source.line_of(offset)).collect();
        assert_eq!(
            places,
            [
                (0, 0),
                (0, 0),
                (0, 0),
                (1, 3),
                (2, 4),
                (2, 4),
                (2, 4),
                (3, 7)
            ]
        );
        assert_eq!(Source::new(String::new(), String::new()).line_of(0), (0, 0));
    }

    #[test]
    fn files_that_are_too_large_or_not_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("A.msg");
        let location = Location::File(path.clone());
        assert!(matches!(location.read(), Err(ReadError::Io(_))));
        fs::write(&path, vec![b' '; usize::try_from(MAX_BYTES).unwrap()]).unwrap();
        assert!(location.read().is_ok());
        fs::write(&path, vec![b' '; usize::try_from(MAX_BYTES).unwrap() + 1]).unwrap();
        assert!(matches!(location.read(), Err(ReadError::TooLarge)));
        fs::write(&path, b"ab\xffc").unwrap();
        let Err(ReadError::NotUtf8 { lossy, bad }) = location.read() else {
            panic!("should not be text");
        };
        assert_eq!((lossy.text(), bad), ("ab\u{fffd}c", 2..5));
    }
}
