use std::{
    env, fs,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

use crate::Error;

/// A folder in the machine's place for temporary files that goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A folder of this process that nobody else may enter. Folders of the same kind whose makers are gone are removed.
    pub(crate) fn new(kind: &str) -> Result<Self, Error> {
        remove_stale(kind);
        let path = env::temp_dir().join(format!("{kind}{}", std::process::id()));
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(Error::io(path.display().to_string()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    /// Where something in it is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A folder in it.
    pub(crate) fn subfolder(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path(name);
        fs::create_dir_all(&path).map_err(Error::io(path.display().to_string()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(Error::io("permissions"))?;
        Ok(path)
    }
}

/// Removes our folders of this kind whose maker could not.
fn remove_stale(kind: &str) {
    let Ok(entries) = fs::read_dir(env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(kind)?.parse::<u32>().ok());
        let is_gone =
            |pid: u32| pid == std::process::id() || !Path::new("/proc").join(pid.to_string()).exists();
        let is_ours =
            || entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw());
        if maker.is_some_and(is_gone) && is_ours() {
            let _gone = fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder in use by somebody who looks into it may stay.
        let _gone = fs::remove_dir_all(&self.0);
    }
}
