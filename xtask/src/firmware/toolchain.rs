//! A compiler for the board: that of rustup when it has the target, else Debian's, which builds `core` from its source.

use std::{path::Path, process::Command};

/// The board's target.
const TARGET: &str = "thumbv7m-none-eabi";

/// Debian's compiler, and the oldest one that the firmware was built with (1.N).
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LEAST: u32 = 96;

/// The emulator, and the linker of the second way.
const EMULATOR: &str = "qemu-system-arm";
const LINKER: &str = "ld.lld";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Toolchain {
    /// The compiler in use has the target.
    Installed,
    /// `core` and `alloc` are built from source; the compiler and its source have the same version.
    Debian,
}

impl Toolchain {
    /// What can be used here, or what is missing for any.
    pub(super) fn find() -> Result<Self, String> {
        if !answers(EMULATOR) {
            return Err(format!("{EMULATOR} is not installed (`make firmware` installs it as root)"));
        }
        let libraries = said(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]));
        if libraries.is_some_and(|folder| Path::new(folder.trim()).is_dir()) {
            return Ok(Self::Installed);
        }
        let version = said(Command::new(DEBIAN_RUSTC).arg("--version"));
        let sysroot = said(Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]));
        let source =
            sysroot.map(|root| Path::new(root.trim()).join("lib/rustlib/src/rust/library/core/src/lib.rs"));
        if version.as_deref().and_then(minor).is_some_and(|minor| minor >= DEBIAN_LEAST)
            && source.is_some_and(|source| source.is_file())
            && answers(LINKER)
        {
            return Ok(Self::Debian);
        }
        Err(format!(
            "no compiler for {TARGET}: `rustup target add {TARGET}`, or `make firmware` as root with apt, which \
             installs Debian's with its source (1.{DEBIAN_LEAST} at least) and {LINKER}"
        ))
    }

    /// `cargo build` or `cargo run` of one image.
    pub(super) fn command(self, folder: &Path, verb: &str, image: &str, features: &[String]) -> Command {
        let mut command = cargo(folder);
        command.args([verb, "--release", "--locked", "--target", TARGET, "--bin", image]);
        command.args(features.iter().flat_map(|feature| ["--features", feature]));
        if self == Self::Debian {
            command
                .args(["-Z", "build-std=core,alloc"])
                .env("RUSTC", DEBIAN_RUSTC)
                // For this command only: it unlocks `-Z build-std` on a stable cargo.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_THUMBV7M_NONE_EABI_LINKER", LINKER);
        }
        command
    }
}

/// Cargo in the folder of the firmware, whose configuration holds then.
pub(super) fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    command
}

fn answers(program: &str) -> bool {
    said(Command::new(program).arg("--version")).is_some()
}

/// What a program wrote, if it is there and succeeded.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

/// N of `rustc 1.N.0 …`.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_of_a_compiler() {
        assert_eq!(minor("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"), Some(96));
        assert_eq!(minor("rustc 2.0.0"), None);
    }
}
