use std::{ffi::OsString, path::PathBuf};

/// What `--help` says.
pub const USAGE: &str = "\
sextant-agent [run] --server URL --ca FILE --data DIR [--gateway URL|none]... [--attest-ms N] [--poll-ms N] [--trial-ms N]
                    [--stall-ms N] [--payload-origin URL]... [OWNER] [--config FILE]
                                                                           be the device; a device of a manufacturer finds its
                                                                           owner first, and needs neither server nor ca
sextant-agent init --data DIR --authorities FILE [--ueid HEX] [--layout ab|swap] [--decryption-key FILE]...
                   [--shared-key FILE]... [--update-server-key FILE] [TARGET]
                                                                           make the device's keys, print what to enrol
sextant-agent make --di URL --data DIR [--tpm TPM] [--ca FILE] [--info TEXT] [--serial TEXT] [--authorities FILE]
                   [TARGET, options of init]                               become a device of a manufacturer (FDO)
sextant-agent onboard --data DIR [--once] [--again] [OWNER] [TARGET]         find the owner, and be taken over
sextant-agent install --data DIR [TARGET] FILE.suit                        install the first release in the factory
sextant-agent uninstall --data DIR [TARGET] MANIFEST                       remove the release with this digest

TARGET: --vendor-domain NAME or --vendor-id UUID, --class NAME or --class-id UUID, --component NAME[:BYTES]...
        as given to init, it need not be given again
TPM:    where the TPM is that the device's key is made in and stays in: device:/dev/tpmrm0, swtpm:path=PATH,
        swtpm:host=HOST,port=PORT
OWNER:  what the owner may do while it takes the device over, beside giving it what it needs:
        [--download-dir DIR] [--download-max BYTES] [--allow-command PATH]... [--allow-upload NAME=PATH]...
A config file holds the same options, one `name value` a line.";

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Be the device.
    Run(RunOptions),
    /// Make its key and identity.
    Init(InitOptions),
    /// Become a device of a manufacturer, whose owner is to be found later.
    Make(MakeOptions),
    /// Find the owner, and be taken over.
    Onboard(OnboardOptions),
    /// Install a release without a server.
    Install(InstallOptions),
    /// Remove a release.
    Uninstall(UninstallOptions),
    /// Become the program of a release; the agent starts itself with this.
    Payload {
        /// The agent; the program must not outlive it.
        parent: u32,
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<OsString>,
    },
    /// Say how it is used.
    Help,
}

/// Options of `run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// Where the device keeps everything.
    pub data: PathBuf,
    /// Base URL of the server, where it is not the one that the owner gave.
    pub server: Option<String>,
    /// Certificates the server's must descend from, where they are not those that the owner gave.
    pub ca: Option<PathBuf>,
    /// Base URLs of the gateway, one for each address family; `none`; or nothing for the default route's.
    pub gateways: Vec<String>,
    /// Origins beside the server that manifests may have payloads fetched from.
    pub payload_origins: Vec<String>,
    /// Milliseconds between attestations.
    pub attest_ms: u64,
    /// Milliseconds between polls.
    pub poll_ms: u64,
    /// Milliseconds a release on trial has.
    pub trial_ms: u64,
    /// Milliseconds that nothing may come of an answer; one piece of a download may take three times as long.
    pub stall_ms: u64,
    /// What the owner may do while it takes the device over.
    pub modules: ModuleOptions,
    /// What the device is, where it was not said to `init`.
    pub target: TargetOptions,
}

/// Options of `init`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitOptions {
    /// Where the device keeps everything.
    pub data: PathBuf,
    /// The list of authorities it will obey; none on a device that gets it from its owner.
    pub authorities: Option<PathBuf>,
    /// Its identifier; a random one by default.
    pub ueid: Option<String>,
    /// How its slots are used: `ab`, which is the default, or `swap`.
    pub layout: Option<String>,
    /// Files of keys that payloads are encrypted to, beside the one it makes: shared with a group, as a rule.
    pub decryption_keys: Vec<PathBuf>,
    /// Files of keys that authors share with it, each with an identifier that its list of authorities names.
    pub shared_keys: Vec<PathBuf>,
    /// File of the public key that signs what the device is answered when it asks for updates.
    pub update_server_key: Option<PathBuf>,
    /// What the device is.
    pub target: TargetOptions,
}

/// Options of `make`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakeOptions {
    /// URL of the manufacturer's server.
    pub manufacturer: String,
    /// Certificates that server's must descend from; any will do without.
    pub ca: Option<PathBuf>,
    /// What the device is, for people.
    pub info: Option<String>,
    /// Its serial number; one made of its key by default.
    pub serial: Option<String>,
    /// The TPM that its key and the secret of its HMACs are made in, and stay in; in files without.
    pub tpm: Option<tpm::Address>,
    /// What else it is made with. Its identifier is the manufacturer's to give.
    pub device: InitOptions,
}

/// Options of `onboard`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnboardOptions {
    /// Where the device keeps everything.
    pub data: PathBuf,
    /// Whether to go through all ways to the owner once and no more, without waiting.
    pub once: bool,
    /// Whether to do so although it was done, as after a sale.
    pub again: bool,
    /// What the owner may do.
    pub modules: ModuleOptions,
    /// What the device is, where it was not said to `make`.
    pub target: TargetOptions,
}

/// What a device lets its owner do in onboarding, beside what every owner does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleOptions {
    /// Folder that it may put files into.
    pub download_dir: Option<PathBuf>,
    /// Bytes that such a file may have.
    pub download_max: u64,
    /// Programs that it may run.
    pub commands: Vec<String>,
    /// Files that it may ask for, as `NAME=PATH`.
    pub uploads: Vec<(String, PathBuf)>,
}

/// Options of `install`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallOptions {
    /// Where the device keeps everything.
    pub data: PathBuf,
    /// The envelope.
    pub envelope: PathBuf,
    /// What the device is, where it was not said to `init`.
    pub target: TargetOptions,
}

/// Options of `uninstall`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UninstallOptions {
    /// Where the device keeps everything.
    pub data: PathBuf,
    /// Manifest digest of the release, in hexadecimal digits.
    pub manifest: String,
    /// What the device is, where it was not said to `init`.
    pub target: TargetOptions,
}

/// Of which vendor and class the device is, and what can be installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetOptions {
    /// The vendor's domain name.
    pub vendor_domain: Option<String>,
    /// The vendor's UUID, in place of the domain name.
    pub vendor_id: Option<String>,
    /// Name of the class.
    pub class: Option<String>,
    /// UUID of the class, in place of the name.
    pub class_id: Option<String>,
    /// Components, each with how many bytes it may have.
    pub components: Vec<String>,
}
