//! Lists the bundled interface files so that they can be compiled in.

use std::{env, error::Error, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=msg");
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("msg");
    let mut list = String::from("&[\n");
    for package in names(&root)? {
        for kind in names(&root.join(&package))? {
            let folder = root.join(&package).join(&kind);
            println!("cargo::rerun-if-changed={}", folder.display());
            for file in names(&folder)? {
                writeln!(
                    list,
                    "    ({:?}, include_str!({:?})),",
                    format!("{package}/{kind}/{file}"),
                    folder
                        .join(&file)
                        .to_str()
                        .ok_or("the path of the package is not Unicode")?
                )?;
            }
        }
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("bundled.rs"), list)?;
    Ok(())
}

/// What is in a folder, sorted.
fn names(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        names.push(
            entry?
                .file_name()
                .into_string()
                .map_err(|_| "a file name is not Unicode")?,
        );
    }
    names.sort();
    Ok(names)
}
