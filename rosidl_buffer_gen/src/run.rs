//! The steps of a run: load → resolve → describe → emit → write. Behind each step that reads input
//! the run ends if there were errors, so that nothing is written then.

use std::{collections::BTreeMap, env, path::PathBuf};

use rosidl_type_description::TypeHash;

use crate::{
    Config, Error, Report,
    describe::type_hashes,
    diagnostic::{Code, Diagnostic, Diagnostics},
    emit::emit,
    load::{Loaded, load},
    model::Interfaces,
    output::write,
    resolve::resolve,
};

impl Config {
    /// Generates the code and writes what changed.
    ///
    /// # Errors
    /// Whatever is wrong with the settings and the interface files, all of it; nothing is written
    /// then. Or a file that cannot be written.
    pub fn generate(&self) -> Result<Report, Error> {
        let out_dir = self
            .out_dir
            .clone()
            .or_else(|| env::var_os("OUT_DIR").map(PathBuf::from));
        let Some(out_dir) = out_dir else {
            let diagnostic = Diagnostic::new(Code::BadConfig, "there is no folder to write to");
            return Err(diagnostic
                .help("outside of a build script, set `out_dir`")
                .into());
        };
        if self.cargo_metadata {
            println!("cargo::rerun-if-env-changed=AMENT_PREFIX_PATH");
        }
        let (loaded, interfaces, warnings) = self.resolved()?;
        if self.cargo_metadata {
            for path in &interfaces.inputs {
                println!("cargo::rerun-if-changed={}", path.display());
            }
            for warning in &warnings {
                println!("cargo::warning={}", warning.one_line());
            }
        }
        let hashes = type_hashes(&interfaces);
        let files = emit(&interfaces, &hashes, self.crate_package.as_ref());
        let mut report = Report::new(&loaded, warnings);
        report.written = write(&out_dir, &files).map_err(|(path, error)| {
            Diagnostic::new(
                Code::Unwritable,
                format!("cannot write {}: {error}", path.display()),
            )
        })?;
        Ok(report)
    }

    /// The type hashes of all interfaces of the packages named, or of those found if none is named,
    /// by full type name.
    ///
    /// # Errors
    /// Whatever is wrong with the settings and the interface files, all of it.
    pub fn type_hashes(&self) -> Result<BTreeMap<String, TypeHash>, Error> {
        let (_, interfaces, _) = self.resolved()?;
        let hashes = type_hashes(&interfaces).into_iter();
        Ok(hashes
            .map(|(name, hash)| (name.to_string(), hash))
            .collect())
    }

    fn resolved(&self) -> Result<(Loaded, Interfaces, Vec<Diagnostic>), Error> {
        let mut diagnostics = Diagnostics::default();
        let loaded = load(self, &mut diagnostics);
        let interfaces = resolve(&loaded, self, &mut diagnostics);
        let warnings = diagnostics.finish().map_err(Error::new)?;
        Ok((loaded, interfaces, warnings))
    }
}
