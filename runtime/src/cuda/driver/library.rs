//! The driver's library: found once for the process, or an error that says why there is none.
//!
//! All that can be missing is looked for here, before the first real call: the library, its version, its functions, a
//! device. The answer is kept. The library is never closed: its threads and its exit handlers go on using it.

use core::ffi::{CStr, c_char, c_int};
use core::mem::ManuallyDrop;
use std::sync::OnceLock;

use libloading::Library;

use super::abi::{self, Status};
use super::error::{CudaError, start_help};
use super::table::Table;
use crate::ipc::lease::ForkGuard;

/// The driver's own name first: the other one may be a toolkit's stub.
const LIBRARIES: [&str; 2] = ["libcuda.so.1", "libcuda.so"];
/// The oldest interface that has all that is called: 11.7.
const NEEDED: c_int = 11_070;

/// CUDA, started.
pub(crate) struct Driver {
    pub(super) table: Table,
    version: c_int,
    library: &'static str,
    fork: ForkGuard,
}

impl Driver {
    /// The driver of this process. Looked for when this is first called; the answer stays the same.
    pub(crate) fn get() -> Result<&'static Self, CudaError> {
        static DRIVER: OnceLock<Result<Driver, CudaError>> = OnceLock::new();
        let driver = DRIVER.get_or_init(|| Self::find(&LIBRARIES)).as_ref();
        let driver = driver.map_err(Clone::clone)?;
        if driver.is_child() {
            return Err(CudaError::Forked);
        }
        Ok(driver)
    }

    /// Whether this process was forked after CUDA was started: nothing may be called then, not even to give things back.
    pub(super) fn is_child(&self) -> bool {
        self.fork.is_child()
    }

    /// CUDA's version as the driver offers it, `(13, 0)` for instance.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests on a device"))]
    pub(crate) fn version(&self) -> (i32, i32) {
        version(self.version)
    }

    /// The library that was found.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests on a device"))]
    pub(crate) fn library(&self) -> &'static str {
        self.library
    }

    fn find(libraries: &[&'static str]) -> Result<Self, CudaError> {
        let mut tried = Vec::new();
        for &name in libraries {
            // SAFETY: opening CUDA's driver runs its initialisers only, which touch nothing of ours.
            match unsafe { Library::new(name) } {
                Ok(library) => return Self::start(library, name),
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tried.push(format!(
                        "`{name}`: {}",
                        cause.unwrap_or_else(|| error.to_string())
                    ));
                }
            }
        }
        Err(CudaError::NoDriver {
            tried: tried.join("; "),
        })
    }

    fn start(library: Library, name: &'static str) -> Result<Self, CudaError> {
        let library = ManuallyDrop::new(library);
        // SAFETY: the library goes by the name of CUDA's driver, and is never closed.
        let table = unsafe { Table::load(&library) };
        let table = table.map_err(|missing| CudaError::MissingFunctions {
            library: name.to_owned(),
            missing,
        })?;
        let mut driver = Self {
            table,
            version: 0,
            library: name,
            fork: ForkGuard::new().map_err(|error| CudaError::NoDriver {
                tried: format!("`{name}`: a page to recognise forked children: {error}"),
            })?,
        };
        // SAFETY: the pointer is valid for one number; the call is allowed before `cuInit`.
        let status = unsafe { (driver.table.cuDriverGetVersion)(&raw mut driver.version) };
        driver.started(status)?;
        check_version(name, driver.version)?;
        // SAFETY: the only flags that exist are none.
        let status = unsafe { (driver.table.cuInit)(0) };
        driver.started(status)?;
        Ok(driver)
    }

    fn started(&self, code: Status) -> Result<(), CudaError> {
        if code == abi::SUCCESS {
            return Ok(());
        }
        let (name, text) = self.words(code);
        Err(CudaError::Start {
            library: self.library.to_owned(),
            code,
            name,
            text,
            help: start_help(code),
        })
    }

    /// Tests and measurements count calls; nothing else does.
    pub(super) fn count() {
        #[cfg(test)]
        CALLS.with(|calls| calls.set(calls.get() + 1));
        #[cfg(feature = "count_calls")]
        ALL_CALLS.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
    }

    /// A status as a result.
    pub(super) fn check(&self, call: &'static str, status: Status) -> Result<(), CudaError> {
        Self::count();
        if status == abi::SUCCESS {
            Ok(())
        } else {
            Err(self.failed(call, status))
        }
    }

    /// As [`check`](Self::check), for a call that gives something back: there is nobody to tell but the log.
    pub(super) fn check_drop(&self, call: &'static str, status: Status) {
        if let Err(error) = self.check(call, status)
            && !error.is_shutdown()
        {
            tracing::error!(%error, "something of the GPU could not be given back");
        }
    }

    #[cold]
    pub(super) fn failed(&self, call: &'static str, code: Status) -> CudaError {
        let (name, text) = self.words(code);
        CudaError::Call {
            call,
            code,
            name,
            text,
        }
    }

    /// CUDA's name and words for a status.
    fn words(&self, code: Status) -> (String, String) {
        let text = |get: unsafe extern "C" fn(Status, *mut *const c_char) -> Status| {
            let mut found: *const c_char = core::ptr::null();
            // SAFETY: the pointer is valid for one address; any number may be asked for.
            let status = unsafe { get(code, &raw mut found) };
            if status != abi::SUCCESS || found.is_null() {
                return "unknown to the driver".to_owned();
            }
            // SAFETY: the driver gave a string of its own, which ends with a zero and stays for good.
            let found = unsafe { CStr::from_ptr(found) };
            found.to_string_lossy().into_owned()
        };
        (
            text(self.table.cuGetErrorName),
            text(self.table.cuGetErrorString),
        )
    }
}

fn version(number: c_int) -> (i32, i32) {
    (number / 1000, number % 1000 / 10)
}

fn check_version(library: &str, found: c_int) -> Result<(), CudaError> {
    if found >= NEEDED {
        return Ok(());
    }
    let text = |number| {
        let (major, minor) = version(number);
        format!("{major}.{minor}")
    };
    Err(CudaError::TooOld {
        library: library.to_owned(),
        found: text(found),
        needed: text(NEEDED),
    })
}

#[cfg(test)]
thread_local! {
    /// Calls to the driver by this thread whose status was looked at.
    static CALLS: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
}

/// Calls to the driver by all threads.
#[cfg(feature = "count_calls")]
pub(super) static ALL_CALLS: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);

/// How many calls to the driver this process has made, on all threads; for measurements.
#[cfg(feature = "count_calls")]
pub fn driver_calls() -> u64 {
    ALL_CALLS.load(core::sync::atomic::Ordering::Relaxed)
}

/// How many calls to the driver `work` makes.
#[cfg(test)]
pub(crate) fn calls(work: impl FnOnce()) -> u64 {
    let before = CALLS.with(core::cell::Cell::get);
    work();
    CALLS.with(core::cell::Cell::get) - before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_driver_is_told_what_was_tried() {
        let error = Driver::find(&["libno_such_driver.so.1", "libno_such_driver.so"]);
        let said = error.err().expect("no such library").to_string();
        assert!(said.contains("`libno_such_driver.so.1`: "), "{said}");
        assert!(said.contains("install NVIDIA's driver"), "{said}");
    }

    #[test]
    fn a_library_that_is_no_driver_is_refused_by_its_functions() {
        let error = Driver::find(&["libc.so.6"])
            .err()
            .expect("libc is no driver");
        let CudaError::MissingFunctions { missing, .. } = &error else {
            panic!("{error}");
        };
        assert!(missing.contains(&"cuInit") && missing.contains(&"cuMemCreate"));
        assert!(
            error.to_string().contains("`libc.so.6` lacks cuInit, "),
            "{error}"
        );
    }

    #[test]
    fn an_old_driver_is_refused_by_its_version() {
        assert_eq!(check_version("libcuda.so.1", 11_070), Ok(()));
        let said = check_version("libcuda.so.1", 10_020)
            .unwrap_err()
            .to_string();
        assert!(
            said.contains("offers CUDA 10.2, and 11.7 is needed"),
            "{said}"
        );
    }

    #[test]
    fn the_answer_stays_the_same_and_never_panics() {
        let (first, second) = (Driver::get().err(), Driver::get().err());
        assert_eq!(first, second);
        match first {
            Some(error) => println!("no CUDA here: {error}"),
            None => println!("CUDA is here"),
        }
    }
}
