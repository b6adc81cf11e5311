//! Names of modules and their messages.

/// The message that every module has: whether it is to be used, or is there.
pub const ACTIVE: &str = "active";

/// Module: what the device is. Of the device to the owner, and before all else.
pub const DEVMOD: &str = "devmod";
/// Module: a file for the device.
pub const DOWNLOAD: &str = "fdo.download";
/// Module: a file of the device.
pub const UPLOAD: &str = "fdo.upload";
/// Module: a file that the device fetches by itself.
pub const WGET: &str = "fdo.wget";
/// Module: a program to run.
pub const COMMAND: &str = "fdo.command";
/// Module: a certificate for the device.
pub const CSR: &str = "fdo.csr";

/// Messages of `devmod`.
pub mod devmod {
    /// Operating system.
    pub const OS: &str = "os";
    /// Architecture of the processor.
    pub const ARCH: &str = "arch";
    /// Version of the operating system.
    pub const VERSION: &str = "version";
    /// Model of the device.
    pub const DEVICE: &str = "device";
    /// Serial number.
    pub const SERIAL: &str = "sn";
    /// What separates parts of a path.
    pub const PATH_SEPARATOR: &str = "pathsep";
    /// What separates entries of a list.
    pub const SEPARATOR: &str = "sep";
    /// What ends a line.
    pub const NEWLINE: &str = "nl";
    /// Folder for temporary files.
    pub const TEMPORARY: &str = "tmp";
    /// Folder to install to.
    pub const INSTALL: &str = "dir";
    /// Languages of programs.
    pub const PROGRAM_ENVIRONMENT: &str = "progenv";
    /// Formats of programs.
    pub const BINARIES: &str = "bin";
    /// Where the device's MUD file is.
    pub const MUD_URL: &str = "mudurl";
    /// How many modules there are.
    pub const MODULE_COUNT: &str = "nummodules";
    /// Names of modules, from one index on.
    pub const MODULES: &str = "modules";
}

/// Name of a file: `fdo.download`, `fdo.upload`, `fdo.wget`.
pub const NAME: &str = "name";
/// Its length in bytes: `fdo.download`, `fdo.upload`.
pub const LENGTH: &str = "length";
/// Its SHA-384: `fdo.download`, `fdo.upload`, `fdo.wget`.
pub const SHA384: &str = "sha-384";
/// A piece of it: `fdo.download`, `fdo.upload`.
pub const DATA: &str = "data";
/// How many bytes are there now, or -1: `fdo.download`, `fdo.wget`.
pub const DONE: &str = "done";
/// Whether a hash is to follow: `fdo.upload`.
pub const NEED_SHA: &str = "need-sha";
/// Where to fetch from: `fdo.wget`.
pub const URL: &str = "url";
/// What went wrong: text in `fdo.wget`, a number in `fdo.csr`.
pub const ERROR: &str = "error";

/// Messages of `fdo.command`.
pub mod command {
    /// Path of the program.
    pub const COMMAND: &str = "command";
    /// Its arguments.
    pub const ARGUMENTS: &str = "args";
    /// Whether another exit code than 0 is no failure.
    pub const MAY_FAIL: &str = "may_fail";
    /// Whether standard output is to be sent.
    pub const RETURN_STDOUT: &str = "return_stdout";
    /// Whether standard error is to be sent.
    pub const RETURN_STDERR: &str = "return_stderr";
    /// Begin.
    pub const EXECUTE: &str = "execute";
    /// A signal for the program that runs.
    pub const SIGNAL: &str = "sig";
    /// A piece of standard output.
    pub const STDOUT: &str = "stdout";
    /// A piece of standard error.
    pub const STDERR: &str = "stderr";
    /// How it ended.
    pub const EXIT_CODE: &str = "exitcode";
}

/// Messages of `fdo.csr` (EST, RFC 7030) and its numbers (CoAP Content-Formats, RFC 9148, section 5.3).
pub mod csr {
    /// Asks for certificates of authorities.
    pub const CA_CERTIFICATES_REQUEST: &str = "cacerts-req";
    /// Certificates of authorities.
    pub const CA_CERTIFICATES_RESPONSE: &str = "cacerts-res";
    /// Asks for a certificate.
    pub const ENROL_REQUEST: &str = "simpleenroll-req";
    /// The certificate.
    pub const ENROL_RESPONSE: &str = "simpleenroll-res";
    /// Asks for a certificate in place of one.
    pub const REENROL_REQUEST: &str = "simplereenroll-req";
    /// Asks for a key made elsewhere.
    pub const SERVER_KEY_REQUEST: &str = "serverkeygen-req";
    /// Asks what a request is to have.
    pub const ATTRIBUTES_REQUEST: &str = "csrattrs-req";
    /// application/pkcs7-mime; smime-type=certs-only.
    pub const PKCS7_CERTIFICATES: u64 = 281;
    /// application/pkix-cert.
    pub const PKIX_CERTIFICATE: u64 = 287;
}
