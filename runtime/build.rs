//! Compiles the C++ between libtorch and the feature `tch`; without that feature it does nothing.
//!
//! `LIBTORCH` names the folder of libtorch in, one static library goes out. torch-sys does not look at the version of a
//! libtorch that came as a wheel, so it is looked at here.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "tch")]
    torch::build();
}

#[cfg(feature = "tch")]
mod torch {
    use std::path::{Path, PathBuf};
    use std::{env, fs, process};

    const SHIM: &str = "src/tensor/tch/shim.cpp";
    /// What tch 0.24 is made for.
    const VERSION: &str = "2.11.";

    pub(super) fn build() {
        println!("cargo::rerun-if-changed={SHIM}");
        println!("cargo::rerun-if-env-changed=LIBTORCH");
        if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
            return; // the feature has no effect there
        }
        let folder = libtorch().unwrap_or_else(|error| {
            println!("cargo::error={error}");
            process::exit(1);
        });
        cc::Build::new()
            .cpp(true)
            .std("c++17")
            .define("_GLIBCXX_USE_CXX11_ABI", "1")
            .warnings(false) // torch's own headers have some
            .debug(false) // they are large
            .include(folder.join("include"))
            .file(SHIM)
            .compile("rosidl_buffer_torch");
    }

    /// The folder of libtorch, of the version that is needed.
    fn libtorch() -> Result<PathBuf, String> {
        const HELP: &str = "the feature `tch` needs libtorch 2.11; `scripts/libtorch` of rosidl_buffer's repository gets it and \
                            prints the two variables to set";
        let Some(folder) = env::var_os("LIBTORCH").map(PathBuf::from) else {
            return Err(format!("LIBTORCH is not set: {HELP}"));
        };
        let shown = folder.display();
        match version(&folder) {
            Some(version) if version.starts_with(VERSION) => Ok(folder),
            Some(version) => Err(format!("LIBTORCH={shown} is libtorch {version}: {HELP}")),
            None => Err(format!(
                "LIBTORCH={shown} has neither version.py nor build-version, so it is no libtorch: {HELP}"
            )),
        }
    }

    /// From `version.py` of a wheel, or `build-version` of an archive.
    fn version(folder: &Path) -> Option<String> {
        let wheel = fs::read_to_string(folder.join("version.py")).ok();
        let wheel = wheel.as_deref().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("__version__"))?;
            Some(line.split_once('=')?.1.trim().trim_matches(['\'', '"']))
        });
        if let Some(version) = wheel {
            return Some(version.to_owned());
        }
        let archive = fs::read_to_string(folder.join("build-version")).ok()?;
        Some(archive.trim().to_owned())
    }
}
