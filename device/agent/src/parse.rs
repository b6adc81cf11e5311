use std::{ffi::OsString, path::PathBuf};

use fdo::service_info::modules::is_file_name;

use crate::{
    Command, Error, InitOptions, InstallOptions, MakeOptions, ModuleOptions, OnboardOptions, RunOptions,
    TargetOptions, UninstallOptions,
};

/// Options as they were given, in any order.
#[derive(Default)]
struct Given {
    named: Vec<(String, OsString)>,
    flags: Vec<String>,
    plain: Vec<OsString>,
}

/// Bytes that a file of the owner's may have, where it is not said.
const DOWNLOAD_MAX: u64 = 16 << 20;

/// Options that hold a value.
const NAMES: [&str; 29] = [
    "data",
    "server",
    "ca",
    "gateway",
    "attest-ms",
    "poll-ms",
    "trial-ms",
    "config",
    "authorities",
    "ueid",
    "vendor-domain",
    "vendor-id",
    "class",
    "class-id",
    "component",
    "payload-origin",
    "stall-ms",
    "layout",
    "decryption-key",
    "update-server-key",
    "shared-key",
    "di",
    "info",
    "serial",
    "tpm",
    "download-dir",
    "download-max",
    "allow-command",
    "allow-upload",
];

/// Options that hold none.
const FLAGS: [&str; 2] = ["once", "again"];

/// Options that may be given more than once.
const REPEATABLE: [&str; 7] = [
    "component",
    "gateway",
    "payload-origin",
    "decryption-key",
    "shared-key",
    "allow-command",
    "allow-upload",
];

/// Reads a command line without the program's name.
pub fn parse(arguments: Vec<OsString>) -> Result<Command, Error> {
    let mut rest = arguments.into_iter().peekable();
    let verb = match rest.peek().and_then(|first| first.to_str()) {
        Some("payload") => return parse_payload(rest.skip(1)),
        Some(verb @ ("run" | "init" | "make" | "onboard" | "install" | "uninstall")) => verb.to_owned(),
        _ => "run".to_owned(),
    };
    if rest.peek().is_some_and(|first| *first == *verb) {
        rest.next();
    }
    let mut given = Given::default();
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(Command::Help),
            Some(name) if name.starts_with("--") => {
                let name = name.trim_start_matches('-').to_owned();
                if FLAGS.contains(&name.as_str()) {
                    given.flags.push(name);
                    continue;
                }
                let value = rest.next().ok_or_else(|| usage(format!("--{name} needs a value")))?;
                given.add(name, value)?;
            }
            _ => given.plain.push(argument),
        }
    }
    if let Some(config) = given.take("config") {
        given.read_config(&PathBuf::from(config))?;
    }
    let command = match verb.as_str() {
        "init" => Command::Init(given.init()?),
        "make" => Command::Make(given.make()?),
        "onboard" => Command::Onboard(given.onboard()?),
        "install" => Command::Install(given.install()?),
        "uninstall" => Command::Uninstall(given.uninstall()?),
        _ => Command::Run(given.run()?),
    };
    let left = given.named.first().map(|(name, _)| name).or(given.flags.first());
    match left {
        Some(name) => Err(usage(format!("{verb} has no option --{name}"))),
        None if !given.plain.is_empty() => Err(usage(format!("{verb} takes no {:?}", given.plain[0]))),
        None => Ok(command),
    }
}

fn parse_payload(mut arguments: impl Iterator<Item = OsString>) -> Result<Command, Error> {
    let parent = arguments.next().and_then(|parent| parent.to_str()?.parse().ok());
    match (parent, arguments.next()) {
        (Some(parent), Some(program)) => {
            Ok(Command::Payload { parent, program: program.into(), arguments: arguments.collect() })
        }
        _ => Err(usage("payload is not for people".into())),
    }
}

impl Given {
    fn add(&mut self, name: String, value: OsString) -> Result<(), Error> {
        if !NAMES.contains(&name.as_str()) {
            return Err(usage(format!("there is no option --{name}")));
        }
        if !REPEATABLE.contains(&name.as_str()) && self.named.iter().any(|(other, _)| *other == name) {
            return Err(usage(format!("--{name} is given twice")));
        }
        self.named.push((name, value));
        Ok(())
    }

    /// What the command line says goes before what the file says.
    fn read_config(&mut self, path: &PathBuf) -> Result<(), Error> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::File { path: path.clone(), source })?;
        let mut file = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            file.add(name.to_owned(), value.trim().into())?;
        }
        let missing =
            file.named.into_iter().filter(|(name, _)| !self.named.iter().any(|(other, _)| other == name));
        let missing: Vec<_> = missing.collect();
        self.named.extend(missing);
        Ok(())
    }

    fn take(&mut self, name: &str) -> Option<OsString> {
        let at = self.named.iter().position(|(other, _)| other == name)?;
        Some(self.named.remove(at).1)
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        let text = self.take(name).map(OsString::into_string).transpose();
        text.map_err(|_| usage(format!("--{name} is not text")))
    }

    fn texts(&mut self, name: &str) -> Result<Vec<String>, Error> {
        std::iter::from_fn(|| self.text(name).transpose()).collect()
    }

    fn needed(&mut self, name: &str) -> Result<OsString, Error> {
        self.take(name).ok_or_else(|| usage(format!("--{name} is missing")))
    }

    fn number(&mut self, name: &str, default: u64) -> Result<u64, Error> {
        match self.text(name)? {
            Some(text) => text.parse().map_err(|_| usage(format!("--{name} is not a number: {text}"))),
            None => Ok(default),
        }
    }

    fn target(&mut self) -> Result<TargetOptions, Error> {
        let mut target = TargetOptions {
            vendor_domain: self.text("vendor-domain")?,
            vendor_id: self.text("vendor-id")?,
            class: self.text("class")?,
            class_id: self.text("class-id")?,
            components: Vec::new(),
        };
        target.components = self.texts("component")?;
        Ok(target)
    }

    fn run(&mut self) -> Result<RunOptions, Error> {
        Ok(RunOptions {
            data: self.needed("data")?.into(),
            server: self.text("server")?,
            ca: self.take("ca").map(PathBuf::from),
            gateways: self.texts("gateway")?,
            payload_origins: self.texts("payload-origin")?,
            attest_ms: self.number("attest-ms", 60_000)?,
            poll_ms: self.number("poll-ms", 30_000)?,
            trial_ms: self.number("trial-ms", 300_000)?,
            stall_ms: self.number("stall-ms", 10_000)?,
            modules: self.modules()?,
            target: self.target()?,
        })
    }

    fn init(&mut self) -> Result<InitOptions, Error> {
        Ok(InitOptions {
            data: self.needed("data")?.into(),
            authorities: Some(self.needed("authorities")?.into()),
            ueid: self.text("ueid")?,
            layout: self.text("layout")?,
            update_server_key: self.take("update-server-key").map(PathBuf::from),
            decryption_keys: self.files("decryption-key"),
            shared_keys: self.files("shared-key"),
            target: self.target()?,
        })
    }

    fn flag(&mut self, name: &str) -> bool {
        let before = self.flags.len();
        self.flags.retain(|flag| flag != name);
        self.flags.len() < before
    }

    fn modules(&mut self) -> Result<ModuleOptions, Error> {
        let upload = |text: String| match text.split_once('=') {
            Some((name, path)) if is_file_name(name) && !path.is_empty() => {
                Ok((name.to_owned(), path.into()))
            }
            _ => Err(usage(format!("--allow-upload is not NAME=PATH: {text}"))),
        };
        Ok(ModuleOptions {
            download_dir: self.take("download-dir").map(PathBuf::from),
            download_max: self.number("download-max", DOWNLOAD_MAX)?,
            commands: self.texts("allow-command")?,
            uploads: self.texts("allow-upload")?.into_iter().map(upload).collect::<Result<_, _>>()?,
        })
    }

    fn onboard(&mut self) -> Result<OnboardOptions, Error> {
        Ok(OnboardOptions {
            data: self.needed("data")?.into(),
            once: self.flag("once"),
            again: self.flag("again"),
            modules: self.modules()?,
            target: self.target()?,
        })
    }

    fn make(&mut self) -> Result<MakeOptions, Error> {
        Ok(MakeOptions {
            manufacturer: self.text("di")?.ok_or_else(|| usage("--di is missing".into()))?,
            ca: self.take("ca").map(PathBuf::from),
            info: self.text("info")?,
            serial: self.text("serial")?,
            tpm: self.tpm()?,
            device: InitOptions {
                data: self.needed("data")?.into(),
                authorities: self.take("authorities").map(PathBuf::from),
                ueid: None,
                layout: self.text("layout")?,
                update_server_key: self.take("update-server-key").map(PathBuf::from),
                decryption_keys: self.files("decryption-key"),
                shared_keys: self.files("shared-key"),
                target: self.target()?,
            },
        })
    }

    fn tpm(&mut self) -> Result<Option<tpm::Address>, Error> {
        let address = self.text("tpm")?.map(|text| text.parse()).transpose();
        address.map_err(|error: tpm::Error| usage(format!("--tpm: {error}")))
    }

    fn files(&mut self, name: &str) -> Vec<PathBuf> {
        std::iter::from_fn(|| self.take(name).map(PathBuf::from)).collect()
    }

    fn install(&mut self) -> Result<InstallOptions, Error> {
        let data = self.needed("data")?.into();
        let target = self.target()?;
        let envelope = self.plain.pop().ok_or_else(|| usage("install needs an envelope".into()))?.into();
        Ok(InstallOptions { data, envelope, target })
    }

    fn uninstall(&mut self) -> Result<UninstallOptions, Error> {
        let data = self.needed("data")?.into();
        let target = self.target()?;
        let manifest = self.plain.pop().and_then(|manifest| manifest.into_string().ok());
        let manifest = manifest.ok_or_else(|| usage("uninstall needs a manifest digest".into()))?;
        Ok(UninstallOptions { data, manifest, target })
    }
}

fn usage(what: String) -> Error {
    Error::Usage(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_each_command_and_its_defaults() {
        let Ok(Command::Run(run)) = parsed("--server https://s:8443 --ca ca.pem --data d --poll-ms 500")
        else {
            panic!("not read");
        };
        assert_eq!((run.poll_ms, run.attest_ms, run.gateways.len()), (500, 60_000, 0));
        let Ok(Command::Init(init)) =
            parsed("init --data d --authorities a --component app:100 --component b")
        else {
            panic!("not read");
        };
        assert_eq!(init.target.components, ["app:100", "b"]);
        let Ok(Command::Install(install)) = parsed("install --data d r.suit --class c") else {
            panic!("not read")
        };
        assert_eq!((install.envelope, install.target.class.as_deref()), ("r.suit".into(), Some("c")));
        let Ok(Command::Payload { parent, arguments, .. }) = parsed("payload 12 prog --server x") else {
            panic!("not read");
        };
        assert_eq!((parent, arguments.len()), (12, 2));
        let line = "onboard --data d --once --allow-upload log=/var/log/x --allow-upload a=b --allow-command /bin/true";
        let Ok(Command::Onboard(onboard)) = parsed(line) else { panic!("not read") };
        let uploads = [("log".to_owned(), "/var/log/x".into()), ("a".to_owned(), "b".into())];
        assert_eq!((onboard.once, onboard.again, &onboard.modules.uploads[..]), (true, false, &uploads[..]));
        assert_eq!(onboard.modules.commands, ["/bin/true"]);
        let Ok(Command::Run(run)) = parsed("--data d") else { panic!("not read") };
        assert_eq!((run.server, run.ca, run.modules.download_dir), (None, None, None));
        assert_eq!(parsed("init --help"), Ok(Command::Help));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for (line, what) in [
            ("", "--data is missing"),
            ("--data d --once", "run has no option --once"),
            ("onboard --data d --allow-upload log", "not NAME=PATH"),
            ("onboard --data d --allow-upload ../log=/var/log", "not NAME=PATH"),
            ("onboard --data d --server s", "onboard has no option --server"),
            ("--data d --speed 3", "no option --speed"),
            ("--data d --data e", "given twice"),
            ("--data", "needs a value"),
            ("init --data d --authorities a --server s", "init has no option --server"),
            ("init --data d --authorities a more", "takes no \"more\""),
            ("make --data d", "--di is missing"),
            ("make --di http://maker.example --data d --ueid 01", "make has no option --ueid"),
            ("make --di http://maker.example --data d --tpm /dev/tpmrm0", "no address of a TPM"),
            ("init --data d --authorities a --tpm device", "init has no option --tpm"),
            ("install --data d", "needs an envelope"),
            ("uninstall --data d", "needs a manifest digest"),
            ("--data d --server s --ca c --poll-ms soon", "not a number"),
            ("payload", "not for people"),
        ] {
            let error = parsed(line).expect_err(line);
            assert!(error.contains(what), "{line}: {error}");
        }
    }

    #[test]
    fn the_command_line_goes_before_the_config_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.conf");
        std::fs::write(&path, "# a device\nserver https://file:8443\nca ca.pem\n\ndata from-file\n").unwrap();
        let line = format!("--config {} --data from-line", path.display());
        let Ok(Command::Run(run)) = parsed(&line) else { panic!("not read") };
        assert_eq!((run.server.as_deref(), run.data), (Some("https://file:8443"), "from-line".into()));
    }
}
