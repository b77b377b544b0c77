//! Files on disk: only what changed is written, and none is ever half there.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
};

use crate::emit::OutputFile;

/// How many files were written and how many were right already.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) written: usize,
    pub(crate) unchanged: usize,
}

/// Brings the files into the folder; the error comes with the path that it is about.
pub(crate) fn write(folder: &Path, files: &[OutputFile]) -> Result<Written, (PathBuf, io::Error)> {
    let mut count = Written::default();
    for file in files {
        let path = folder.join(&file.path);
        if fs::read(&path).is_ok_and(|text| text == file.text.as_bytes()) {
            count.unchanged += 1;
            continue;
        }
        replace(&path, &file.text).map_err(|error| (path, error))?;
        count.written += 1;
    }
    Ok(count)
}

/// Writes beside the file and renames: who reads sees the old text or the new.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", process::id()));
    let mut done = fs::write(&temporary, text);
    if done
        .as_ref()
        .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    {
        // Most files are in a folder that is there.
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        done = fs::write(&temporary, text);
    }
    let done = done.and_then(|()| fs::rename(&temporary, path));
    if done.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &str| OutputFile {
            path: path.into(),
            text: text.to_owned(),
        };
        let first = [file("a.rs", "1"), file("b/c.rs", "2")];
        let count = write(folder.path(), &first).unwrap();
        assert_eq!((count.written, count.unchanged), (2, 0));
        let modified = || {
            fs::metadata(folder.path().join("a.rs"))
                .unwrap()
                .modified()
                .unwrap()
        };
        let before = modified();
        let count = write(folder.path(), &[file("a.rs", "1"), file("b/c.rs", "3")]).unwrap();
        assert_eq!((count.written, count.unchanged), (1, 1));
        assert_eq!(modified(), before);
        assert_eq!(
            fs::read_to_string(folder.path().join("b/c.rs")).unwrap(),
            "3"
        );
        assert_eq!(fs::read_dir(folder.path().join("b")).unwrap().count(), 1);
    }

    #[test]
    fn what_is_in_the_way_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a.rs")).unwrap();
        let file = OutputFile {
            path: "a.rs".into(),
            text: String::new(),
        };
        let (path, _) = write(folder.path(), &[file]).unwrap_err();
        assert_eq!(path, folder.path().join("a.rs"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
