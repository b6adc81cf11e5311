//! A world for a fleet that has none: a server of its own, an author, and releases.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use coswid::VersionScheme;
use suit::{Authority, AuthorityList, AuthorityPolicy, ComponentId, Role};
use trust::{DraftImage, ReleaseDraft};

use super::{
    model::{Factory, Model},
    onboarding::Manufacturer,
    operator::Operator,
    report::{self, Summary},
    seed::{Numbers, Seed},
};
use crate::{
    Error, Process, ServerPlace,
    folder::Folder,
    patience::Patience,
    reach::{START, reach_server},
};

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct WorldPlan {
    /// The binary `sextant`.
    pub sextant: PathBuf,
    /// Where the server keeps its data; nothing for a folder that goes with the world.
    pub data: Option<PathBuf>,
    /// What the author's key is made from.
    pub seed: u64,
    /// Vendor domain and class of each kind of device.
    pub models: Vec<(String, String)>,
    /// Bytes of an image.
    pub image: usize,
    /// What the server tells devices to wait between polls.
    pub poll: Duration,
    /// Between two attestations of a device.
    pub attest: Duration,
    /// Whether its server makes devices and onboards them.
    pub onboard: bool,
}

/// A server of our own, which ends with this.
pub struct World {
    plan: WorldPlan,
    author: Author,
    place: ServerPlace,
    operator: Operator,
    manufacturer: Manufacturer,
    server: Process,
    // Last, so that the server has ended when its data goes.
    _folder: Folder,
}

/// Whoever makes the releases.
struct Author {
    seed: Seed,
    key: crypto::SigningKey,
}

/// Folders of worlds, before the number of the process that made it.
const FOLDER: &str = "sextant-sim-";
/// Name of the author's key.
const AUTHOR: &str = "author";
/// Name of the one component of a simulated device.
const COMPONENT: &str = "app";
/// What the server prints before the address that it listens on.
const LISTENING: &str = "listening on ";
/// More attestations a minute than a device makes that has its period, for boots and trials.
const SPARE_ATTESTATIONS: u64 = 20;

/// What the server does that makes devices and onboards them: everything.
const ROLES: [&str; 6] = ["verifier", "update", "manage", "manufacturer", "rendezvous", "owner"];
/// A limit that no fleet comes near.
const NO_LIMIT: &str = "1000000";

/// A release of a world.
#[derive(Clone, Copy, Debug)]
struct Version {
    number: &'static str,
    sequence: u64,
}

const FIRST: Version = Version { number: "1.0.0", sequence: 1 };
const SECOND: Version = Version { number: "1.1.0", sequence: 2 };

impl World {
    /// Starts a server on a free port of the loopback, and publishes the first release of every model.
    pub fn start(plan: WorldPlan, stop: &Arc<AtomicBool>) -> Result<Self, Error> {
        let seed = Seed(plan.seed);
        let author = Author { seed, key: seed.key(AUTHOR, 0)? };
        let folder = Folder::new(FOLDER)?;
        let data = plan.data.clone().unwrap_or_else(|| folder.path("server"));
        let mut server = start_server(&plan, &data, &folder)?;
        let address = listening_on(&mut server, stop)?;
        let reached = reach_server(&mut server, &data, &format!("https://{address}"), stop)?;
        let manufacturer = Manufacturer::of(&reached.place, reached.client.clone());
        let operator = Operator::new(reached.client);
        let place = reached.place;
        let world = Self { author, place, operator, manufacturer, server, _folder: folder, plan };
        world.operator.put_authorities(&world.author.authorities()?.to_bytes())?;
        for model in 0..world.plan.models.len() {
            world.publish(model, FIRST)?;
        }
        Ok(world)
    }

    /// Where its server is.
    pub fn place(&self) -> &ServerPlace {
        &self.place
    }

    /// Its kinds of devices, with the first release in their factories.
    pub fn models(&self) -> Result<Vec<Model>, Error> {
        let factory = Factory::default();
        let authorities = self.author.authorities()?;
        let model = |(number, (vendor, class)): (usize, &(String, String))| {
            factory.model(vendor, class, &self.envelope(number, FIRST)?, &authorities)
        };
        self.plan.models.iter().enumerate().map(model).collect()
    }

    /// Offers the first release to every device, so that one that falls away from it is offered it again.
    pub fn keep(&self) -> Result<(), Error> {
        for (number, (vendor, class)) in self.plan.models.iter().enumerate() {
            let release = self.digest(number, FIRST)?;
            self.operator.roll_out(&release, &format!("{vendor}/{class}"), 0)?;
        }
        Ok(())
    }

    /// Publishes the second release of every model and rolls it out, to so many devices first.
    pub fn update(&self, canary: u32) -> Result<(), Error> {
        for (number, (vendor, class)) in self.plan.models.iter().enumerate() {
            let release = self.publish(number, SECOND)?;
            self.operator.roll_out(&release, &format!("{vendor}/{class}"), canary)?;
        }
        Ok(())
    }

    /// An error if its server has ended.
    pub fn check(&mut self) -> Result<(), Error> {
        self.server.check()
    }

    /// Adds what its server needed to what came of a fleet.
    pub fn complete(&self, summary: &mut Summary) {
        let server = self.server().to_string();
        summary.server_peak_kib = report::peak_memory(&server);
        summary.server_cpu_s = report::cpu_seconds(&server);
    }

    pub(crate) fn manufacturer(&self) -> &Manufacturer {
        &self.manufacturer
    }

    /// Id of the server's process.
    pub(crate) fn server(&self) -> u32 {
        self.server.id()
    }

    pub(crate) fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Publishes a release, unless a run before did so.
    fn publish(&self, model: usize, version: Version) -> Result<String, Error> {
        match self.operator.publish(&self.envelope(model, version)?) {
            Err(Error::Refused { problem, .. }) if problem.status == 409 => self.digest(model, version),
            published => published,
        }
    }

    fn digest(&self, model: usize, version: Version) -> Result<String, Error> {
        let envelope = self.envelope(model, version)?;
        let envelope = suit::Envelope::decode(&envelope).map_err(Error::object("a release"))?;
        Ok(trust::device_name(envelope.manifest_digest_claimed().as_bytes()))
    }

    fn envelope(&self, model: usize, version: Version) -> Result<Vec<u8>, Error> {
        let (vendor, class) =
            self.plan.models.get(model).ok_or("it is not there").map_err(Error::object("a model"))?;
        self.author.release(vendor, class, version, self.plan.image)
    }
}

impl Author {
    /// This author alone.
    fn authorities(&self) -> Result<AuthorityList, Error> {
        let own = Authority::new(self.key.public_key().clone(), AUTHOR.as_bytes(), AUTHOR, Role::Author);
        AuthorityList::new(AuthorityPolicy::default(), vec![own])
            .map_err(Error::object("the authority list cannot be made"))
    }

    /// A signed release: the same bytes whenever it is asked for, but for its signature.
    fn release(&self, vendor: &str, class: &str, version: Version, image: usize) -> Result<Vec<u8>, Error> {
        let draft = ReleaseDraft {
            vendor_domain: vendor.to_owned(),
            class_name: class.to_owned(),
            name: format!("{class} firmware"),
            version: version.number.to_owned(),
            version_scheme: VersionScheme::Semver,
            sequence_number: version.sequence,
            tag_id: None,
            supersedes: None,
            links: Vec::new(),
            images: vec![DraftImage {
                component: ComponentId::new(&[COMPONENT]).expect("one short segment is a component id"),
                content: self.image(&format!("{vendor}/{class}"), version, image),
                version: None,
                uri: None,
                invoke: true,
            }],
            mud: None,
        };
        let mut envelope = draft.build().map_err(Error::object("a release cannot be made"))?;
        envelope.sign(&self.key, Some(AUTHOR.as_bytes()));
        Ok(envelope.to_bytes())
    }

    /// Bytes that differ from model to model and from version to version.
    fn image(&self, model: &str, version: Version, len: usize) -> Vec<u8> {
        let mut numbers = Numbers::new(self.seed.number(model, version.sequence));
        let words = std::iter::repeat_with(|| numbers.next().to_be_bytes());
        words.flatten().take(len.max(1)).collect()
    }
}

fn start_server(plan: &WorldPlan, data: &Path, folder: &Folder) -> Result<Process, Error> {
    let mut command = Command::new(&plan.sextant);
    command.env("NO_COLOR", "1");
    // It ends with us, however we end.
    command.args(["sim", "leash", "--parent", &std::process::id().to_string(), "--"]).arg(&plan.sextant);
    command.arg("up").arg("--data").arg(data).args(["--listen", "127.0.0.1:0", "--site", "Simulation"]);
    let a_minute = 60 / plan.attest.as_secs().max(1) + SPARE_ATTESTATIONS;
    command.args(["--poll-interval", &format!("{}s", plan.poll.as_secs().max(1))]);
    command.args(["--period", "1s", "--attestations-a-minute", &a_minute.to_string()]);
    if plan.onboard {
        command.args(ROLES.iter().flat_map(|role| ["--role", role]));
        // All devices, and the server that registers with itself, have one address.
        command.args(["--onboarding-sessions-a-minute", NO_LIMIT, "--onboarding-sessions-at-once", NO_LIMIT]);
    }
    Process::start("server", command, folder.root())
}

/// Waits until the server says where it listens.
fn listening_on(server: &mut Process, stop: &Arc<AtomicBool>) -> Result<SocketAddr, Error> {
    let patience = Patience::new("the server listens", START, Arc::clone(stop));
    loop {
        server.check()?;
        let log = fs::read_to_string(server.log()).map_err(Error::io("the server's log"))?;
        let said = log.lines().find_map(|line| line.strip_prefix(LISTENING)?.trim().parse().ok());
        match said {
            Some(address) => return Ok(address),
            None => patience.again(log)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_fits_the_devices_of_its_model_and_no_others() {
        let author = Author { seed: Seed(1), key: Seed(1).key(AUTHOR, 0).unwrap() };
        let list = author.authorities().unwrap();
        let release = author.release("maker.example", "sensor", FIRST, 5000).unwrap();
        let factory = Factory::default();
        let model = factory.model("maker.example", "sensor", &release, &list).unwrap();
        assert_eq!(model.name(), "maker.example/sensor");
        let other = factory.model("maker.example", "camera", &release, &list).unwrap_err();
        assert!(other.chain().contains("maker.example/camera"), "{}", other.chain());
    }
}
