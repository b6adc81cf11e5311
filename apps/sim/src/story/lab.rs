//! The lab: real processes in the place of the story, and a door for people.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use cose::{Key, Purpose, TrustAnchor, TrustAnchors};
use trust::Policy;

use super::{
    Programs, Script,
    catalog::{self, CAM_1_0, CAM_1_1, Model, PLUG_1_0, PLUG_1_1},
    factory::{Blueprint, Factory},
    keys::{Keys, Published},
    place::{ADMISSION_PORT, Device, GATEWAY, GATEWAY_V6, LAN, MAX_DEVICES, MIN_DEVICES, SERVER, WAN, join},
    steps,
};
use crate::{
    Arrivals, Error, Process,
    client::Client,
    folder::Folder,
    forward,
    netns::{Namespace, Network},
    patience::Patience,
    reach::{START, reach_server},
};

/// Everything the story plays with. Dropping it ends every process and removes every namespace.
pub(crate) struct Lab {
    pub(crate) programs: Programs,
    /// What an application is built around.
    pub(crate) app: Vec<u8>,
    pub(crate) keys: Keys,
    /// The releases that devices leave the factory with, and the ones after them.
    pub(crate) cam: Published,
    pub(crate) plug: Published,
    pub(crate) new_cam: Published,
    pub(crate) new_plug: Published,
    pub(crate) client: Client,
    pub(crate) results: TrustAnchors,
    pub(crate) arrivals: Arrivals,
    pub(crate) devices: Vec<Device>,
    pub(crate) server: Process,
    pub(crate) gateway: Process,
    pub(crate) folder: Folder,
    wan: Namespace,
    stop: Arc<AtomicBool>,
    // Last, so that processes have ended when their namespaces go.
    _network: Network,
}

/// Folders of stories, before the number of the process that tells it.
const FOLDER: &str = "sextant-demo-";
/// Name of the gateway in reports.
const GATEWAY_NAME: &str = "gw-1";
/// The network operator's key among the anchors.
const NETWORK_KEY: &str = "override.key";
/// The operator's policy: results of a minute, and dropped packets that count for a few seconds, so that a demonstration
/// sees both end.
const POLICY: &str = "policy.cbor";
const RESULT_LIFETIME: i64 = 60;
const VIOLATION_WINDOW: i64 = 6;
/// How often a device attests and polls, in milliseconds: often, since a person is watching.
const ATTEST_MS: u64 = 1500;
const POLL_MS: u64 = 1000;
/// How long a release on trial has to prove itself, in milliseconds.
const TRIAL_MS: u64 = 20_000;

impl Lab {
    /// Builds the networks, makes the keys, and starts server and gateway. No device runs yet.
    pub(crate) fn build(programs: &Programs, count: usize, stop: Arc<AtomicBool>) -> Result<Self, Error> {
        let count = count.clamp(MIN_DEVICES, MAX_DEVICES);
        let folder = Folder::new(FOLDER)?;
        let app = fs::read(&programs.app).map_err(Error::io(programs.app.display().to_string()))?;
        let keys = Keys::generate()?;
        let [cam, plug, new_cam, new_plug] =
            [CAM_1_0, PLUG_1_0, CAM_1_1, PLUG_1_1].map(|version| keys.publish(version, &app));

        let made = Error::io;
        let mut network = Network::new().map_err(made("the virtual network"))?;
        let wan = network.add("wan").map_err(made("the Internet's namespace"))?;
        let gw = network.add("gw").map_err(made("the gateway's namespace"))?;
        join(&network, &gw, &wan).map_err(made("the links of the gateway"))?;
        let mut devices = Vec::new();
        for index in 0..count {
            devices.push(
                Device::place(&mut network, &gw, &folder, index).map_err(made("a device's namespace"))?,
            );
        }
        let arrivals =
            Arrivals::at_internet(&wan, catalog::internet()).map_err(made("the virtual Internet"))?;

        let anchors = folder.subfolder("anchors")?;
        let authorities = keys.authorities()?.to_bytes();
        let network_key = Key::from_public(keys.network.public_key()).encode();
        for (name, bytes) in [("authorities.cbor", &authorities), (NETWORK_KEY, &network_key)] {
            fs::write(anchors.join(name), bytes).map_err(made(name))?;
        }
        let policy = Policy {
            result_lifetime: RESULT_LIFETIME,
            violation_window: VIOLATION_WINDOW,
            ..Policy::default()
        };
        fs::write(folder.path(POLICY), policy.encode()).map_err(made(POLICY))?;
        // The operator knows whose devices it buys before it opens.
        drop(Factory::open(programs, &wan, &folder, &stop)?);
        let data = folder.path("server");
        let mut server = start_server(programs, &wan, &data, &folder)?;
        let door = forward(&wan, SERVER).map_err(made("the door to the server"))?;
        let client = reach_server(&mut server, &data, &format!("https://{door}"), &stop)?.client;

        // The ceremony: everyone is told whom to believe, by hand and once.
        let verifier = fs::read(data.join("keys/result.key")).map_err(made("the verifier's key"))?;
        let verifier = Key::decode(&verifier).map_err(Error::object("the verifier's key"))?;
        let verifier_key = Key::from_public(verifier.public()).encode();
        fs::write(anchors.join("verifier.key"), verifier_key).map_err(made("the verifier's public key"))?;
        client.send_bytes("PUT", "/api/v1/authorities", api::AUTHORITIES, &authorities)?;
        let gateway_token: api::Token = client.post_json(
            "/api/v1/tokens",
            &api::NewToken { scope: "gateway".to_owned(), label: GATEWAY_NAME.to_owned(), lifetime: None },
        )?;
        let token_file = folder.path("gateway.token");
        fs::write(&token_file, gateway_token.token).map_err(made("the gateway's token"))?;
        let gateway = start_gateway(programs, &gw, &folder, &data, &token_file)?;

        let results =
            TrustAnchors::new(vec![TrustAnchor::new(verifier.public().clone(), Purpose::Result, "verifier")]);
        let mut lab = Self {
            programs: programs.clone(),
            app,
            keys,
            cam: cam?,
            plug: plug?,
            new_cam: new_cam?,
            new_plug: new_plug?,
            client,
            results,
            arrivals,
            devices,
            server,
            gateway,
            folder,
            wan,
            stop,
            _network: network,
        };
        lab.until("the gateway reports", START, |lab| {
            let gateways: Vec<api::Gateway> = lab.client.get("/api/v1/gateways")?;
            Ok(if gateways.is_empty() { Err("no gateway".to_owned()) } else { Ok(()) })
        })?;
        Ok(lab)
    }

    /// Ends the server, lets something be done to its data, and starts it again.
    pub(crate) fn restart_server(
        &mut self,
        meanwhile: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let data = self.folder.path("server");
        self.server.stop(START);
        meanwhile(&data)?;
        self.server = start_server(&self.programs, &self.wan, &data, &self.folder)?;
        let client = self.client.anonymous();
        let patience = Patience::new("the server answers again", START, Arc::clone(&self.stop));
        loop {
            self.server.check()?;
            match client.status("/healthz") {
                Ok(200) => return Ok(()),
                Ok(status) => patience.again(status.to_string())?,
                Err(error) => patience.again(error.chain())?,
            }
        }
    }

    /// Where the pages are, for a person on this machine.
    pub(crate) fn page(&self) -> String {
        let link = fs::read_to_string(self.folder.path("server.log")).unwrap_or_default();
        let path = link
            .split_whitespace()
            .find_map(|word| word.split_once("/welcome?").map(|(_, code)| code.to_owned()));
        match path {
            Some(code) => format!("{}/welcome?{code}", self.client.base()),
            None => self.client.base().to_owned(),
        }
    }

    /// Waits until something is true. `look` gives it, or what there is instead.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        within: Duration,
        mut look: impl FnMut(&Self) -> Result<Result<T, String>, Error>,
    ) -> Result<T, Error> {
        let patience = Patience::new(what, within, Arc::clone(&self.stop));
        loop {
            self.server.check()?;
            self.gateway.check()?;
            match look(self)? {
                Ok(found) => return Ok(found),
                Err(last) => patience.again(last)?,
            }
        }
    }

    /// Starts a device's agent.
    pub(crate) fn start_agent(&mut self, index: usize) -> Result<(), Error> {
        self.start_agent_polling(index, POLL_MS)
    }

    /// The same with another period of polls, in milliseconds.
    pub(crate) fn start_agent_polling(&mut self, index: usize, poll_ms: u64) -> Result<(), Error> {
        let device = &mut self.devices[index];
        let mut command = leashed(&self.programs, &device.space, &self.programs.agent);
        // Where its server is and whom to believe there it is told by its owner.
        command.arg("run");
        for gateway in [GATEWAY, GATEWAY_V6] {
            command.args(["--gateway", &format!("http://{}", SocketAddr::new(gateway, ADMISSION_PORT))]);
        }
        command.arg("--data").arg(&device.data);
        for (option, milliseconds) in
            [("--attest-ms", ATTEST_MS), ("--poll-ms", poll_ms), ("--trial-ms", TRIAL_MS)]
        {
            command.args([option, &milliseconds.to_string()]);
        }
        device.agent = Some(Process::start(&device.name, command, self.folder.root())?);
        Ok(())
    }

    /// Opens the factory.
    pub(crate) fn open_factory(&self) -> Result<Factory, Error> {
        Factory::open(&self.programs, &self.wan, &self.folder, &self.stop)
    }

    /// Makes the devices, each with the release that it leaves with. Gives the GUID of each.
    pub(crate) fn make_devices(&mut self, factory: &Factory) -> Result<Vec<String>, Error> {
        let authorities = self.folder.path("anchors").join("authorities.cbor");
        for model in [Model::PorchCam, Model::DeskPlug] {
            fs::write(self.factory_file(model), &self.first_release(model).envelope)
                .map_err(Error::io("a factory release"))?;
        }
        for index in 0..self.devices.len() {
            let device = &self.devices[index];
            let blueprint = Blueprint {
                model: device.model,
                serial: &device.name,
                data: &device.data,
                authorities: &authorities,
                room: self.app.len() + IMAGE_ROOM,
            };
            let release = self.factory_file(device.model);
            self.devices[index].ueid = factory.make(&self.programs, &self.wan, &blueprint, &release)?;
        }
        Ok(self.devices.iter().map(|device| device.guid().to_owned()).collect())
    }

    /// Makes the devices, and takes their vouchers, for those who want to see what comes after that.
    pub(crate) fn provision(&mut self) -> Result<(), Error> {
        let mut script = Script(Vec::new());
        steps::make(self, &mut script)?;
        match script.0.into_iter().find(|check| !check.held) {
            None => Ok(()),
            Some(check) => {
                Err(Error::TooLate { what: check.claim, within: Duration::ZERO, last: check.observed })
            }
        }
    }

    /// The release that devices of a model leave the factory with.
    pub(crate) fn first_release(&self, model: Model) -> &Published {
        match model {
            Model::PorchCam => &self.cam,
            Model::DeskPlug => &self.plug,
        }
    }

    /// Hands a release to the server.
    pub(crate) fn upload(&self, envelope: &[u8]) -> Result<api::Accepted, Error> {
        self.client.post("/api/v1/releases", api::SUIT_ENVELOPE, envelope)
    }

    /// Devices of a group.
    pub(crate) fn group(&self, group: &str) -> Vec<usize> {
        (0..self.devices.len()).filter(|index| self.devices[*index].group == group).collect()
    }

    fn factory_file(&self, model: Model) -> PathBuf {
        self.folder.path(&format!("{}.suit", model.class()))
    }
}

/// Room in a device beyond the program itself, in bytes: for its settings.
const IMAGE_ROOM: usize = 1 << 20;

fn start_server(
    programs: &Programs,
    wan: &Namespace,
    data: &Path,
    folder: &Folder,
) -> Result<Process, Error> {
    let mut command = leashed(programs, wan, &programs.sextant);
    command.arg("up").arg("--data").arg(data);
    command.args(["--listen", &format!("[::]:{}", SERVER.port()), "--name", &SERVER.ip().to_string()]);
    command.args(["--site", "Sextant demo"]);
    command.arg("--policy").arg(folder.path(POLICY));
    command.arg("--override-key").arg(folder.path("anchors").join(NETWORK_KEY));
    command.arg("--manufacturer").arg(Factory::key_file(folder));
    command.args(["--attestations-a-minute", "600", "--poll-interval", "1s", "--period", "1s"]);
    Process::start("server", command, folder.root())
}

fn start_gateway(
    programs: &Programs,
    gw: &Namespace,
    folder: &Folder,
    server_data: &Path,
    token: &Path,
) -> Result<Process, Error> {
    let mut command = leashed(programs, gw, &programs.sextant);
    command.args(["gateway", "--name", GATEWAY_NAME, "--server", &format!("https://{SERVER}")]);
    command.arg("--ca").arg(server_data.join("tls/cert.pem")).arg("--token-file").arg(token);
    command.arg("--anchors").arg(folder.path("anchors")).arg("--data").arg(folder.path("gateway"));
    command.args(["--lan", LAN, "--wan", WAN, "--dns-upstream", &catalog::name_server().to_string()]);
    command.args(["--management", &SERVER.to_string(), "--admission-port", &ADMISSION_PORT.to_string()]);
    Process::start("gateway", command, folder.root())
}

/// A command in a namespace that ends with us, however we end.
pub(crate) fn leashed(programs: &Programs, space: &Namespace, program: &Path) -> Command {
    let mut command = space.command(&programs.sextant);
    command.env("NO_COLOR", "1");
    command.args(["sim", "leash", "--parent", &std::process::id().to_string(), "--"]).arg(program);
    command
}

/// Runs a command to its end and gives what it printed.
pub(crate) fn run(mut command: Command) -> Result<Vec<u8>, Error> {
    let name = format!("{command:?}");
    let output = command.output().map_err(Error::io(name.clone()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Program { command: name, output: said })
}
