use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::Error;

/// The longest file that is read as a key or a list of authorities.
const MAX_FILE: u64 = 1 << 20;

/// The files of a device's folder.
pub(crate) struct Place<'p>(pub(crate) &'p Path);

impl Place<'_> {
    pub(crate) fn key(&self) -> PathBuf {
        self.0.join("device.key")
    }

    /// What only the device's TPM can make its key of; in place of the key itself.
    pub(crate) fn tpm(&self) -> PathBuf {
        self.0.join("device.tpm")
    }

    /// Keys to decrypt with, one a file.
    pub(crate) fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// The key that signs answers of the update server.
    pub(crate) fn update_server_key(&self) -> PathBuf {
        self.0.join("update-server.key")
    }

    pub(crate) fn authorities(&self) -> PathBuf {
        self.0.join("authorities.cbor")
    }

    pub(crate) fn identity(&self) -> PathBuf {
        self.0.join("identity.json")
    }

    /// What belongs to onboarding.
    pub(crate) fn fdo(&self) -> PathBuf {
        self.0.join("fdo")
    }

    /// The credential, and what the owner gave.
    pub(crate) fn credential(&self) -> PathBuf {
        self.fdo().join("credential.cbor")
    }

    /// The secret of the device's HMACs.
    pub(crate) fn hmac_secret(&self) -> PathBuf {
        self.fdo().join("secret")
    }
}

/// The files of a folder with an ending, in the order of their names; none where there is no folder.
pub(crate) fn files_in(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(file(folder))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(file(folder))?.path();
        if path.to_string_lossy().ends_with(ending) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_up_to(path, MAX_FILE)
}

pub(crate) fn read_up_to(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let len = fs::metadata(path).map_err(file(path))?.len();
    if len > limit {
        return Err(setup(path)(format!("{len} bytes are more than {limit}")));
    }
    fs::read(path).map_err(file(path))
}

/// Writes a file that only its owner may read: whoever looks sees what was there before or all of the new, and when this
/// returns it survives a power cut.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), Error> {
    let part = path.with_extension("part");
    let write = || {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(file(path))
}

/// Makes a folder that only its owner may enter.
pub(crate) fn make_private_folder(path: &Path) -> Result<(), Error> {
    let make = || {
        fs::create_dir_all(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))
    };
    make().map_err(file(path))
}

pub(crate) fn file(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |source| Error::File { path: path.to_owned(), source }
}

pub(crate) fn setup<T: ToString>(path: &Path) -> impl Fn(T) -> Error + '_ {
    move |what| Error::Setup { path: path.to_owned(), what: what.to_string() }
}
