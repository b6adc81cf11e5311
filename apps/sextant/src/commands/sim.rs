use std::{
    env,
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use clap::{Args, Subcommand};
use sim::{
    ServerPlace,
    fleet::{
        Changed, Factory, Fleet, Latency, Manufacturer, Model, Onboarded, Phase, Plan, Progress, Share,
        Summary, World, WorldPlan,
    },
};
use suit::AuthorityList;

use crate::{
    clock,
    failure::{Answer, Failure},
    files::Input,
    interrupt,
    printer::{Meter, Printer},
};

/// Let a fleet of simulated devices live against a real server, and say whether it ends as it should.
///
/// Each device is a device's real state machine with a key of its own: it attests, polls, downloads, installs, boots and
/// reports over HTTPS. With --onboard it begins in a factory: devices are made, sold, and onboarded by their owner, before they
/// do all that. Without --server a server of its own is started on this machine, with releases and an author, and
/// removed at the end. The status is 0 when every device that should be trusted is, and no other.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Sim {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    fleet: FleetArgs,
}

/// Parts of simulations.
#[derive(Debug, Subcommand)]
enum Part {
    /// Become a program that ends when its starter does
    #[command(hide = true)]
    Leash {
        /// The starter's process id
        #[arg(long, value_name = "PID")]
        parent: u32,
        /// The program
        program: PathBuf,
        /// Its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(Debug, Args)]
struct FleetArgs {
    /// How many devices there are
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    devices: Option<u32>,
    /// How long they live
    #[arg(long = "for", value_name = "TIME", value_parser = clock::duration, default_value = "5m")]
    life: Duration,
    /// Between two attestations of a device
    #[arg(long, value_name = "TIME", value_parser = clock::duration, default_value = "60s")]
    attest: Duration,
    /// Between two polls for updates of a device
    #[arg(long, value_name = "TIME", value_parser = clock::duration, default_value = "60s")]
    poll: Duration,
    /// Within which time they are switched on; a quarter of their life, at most --attest, unless given
    #[arg(long, value_name = "TIME", value_parser = clock::duration)]
    ramp: Option<Duration>,
    /// Exchanges at once, over connections that are kept open
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = connections)]
    connections: usize,
    /// How many devices have their image changed behind their backs: a number, or a percentage such as 5%
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0")]
    tamper: Share,
    /// When that happens; after a third of their life unless given
    #[arg(long, value_name = "TIME", value_parser = clock::duration)]
    tamper_after: Option<Duration>,
    /// How many devices are off from a quarter of their life to half of it
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0")]
    offline: Share,
    /// What keys and choices follow from: the same devices in every run. Random unless given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Kind of device, as VENDOR-DOMAIN/CLASS; devices are of each in turn
    #[arg(long, value_name = "VENDOR/CLASS", value_parser = model)]
    model: Vec<(String, String)>,
    /// Make the devices in a factory and onboard them (FDO: DI, TO0, TO1, TO2), rather than enrol them
    #[arg(long)]
    onboard: bool,
    #[command(flatten)]
    theirs: TheirServer,
    #[command(flatten)]
    own: OwnServer,
}

/// The server of somebody else. Variables that name one for other verbs are not heeded: a fleet is never enrolled by
/// accident.
#[derive(Debug, Args)]
#[command(next_help_heading = "With a server that runs")]
struct TheirServer {
    /// URL of the server; the fleet is enrolled there
    #[arg(long, value_name = "URL", requires_all = ["ca", "token_file", "release", "authorities", "model"])]
    server: Option<String>,
    /// Certificate of the server or its authority (PEM)
    #[arg(long, value_name = "FILE", requires = "server")]
    ca: Option<PathBuf>,
    /// File that holds an operator's credential
    #[arg(long, value_name = "FILE", requires = "server")]
    token_file: Option<PathBuf>,
    /// What a model leaves the factory with, one for each --model
    #[arg(long, value_name = "FILE", requires = "server")]
    release: Vec<PathBuf>,
    /// Whose releases devices install
    #[arg(long, value_name = "FILE", requires = "server")]
    authorities: Option<PathBuf>,
    /// URL of the server that makes the devices; the same server unless given
    #[arg(long, value_name = "URL", requires_all = ["onboard", "server", "factory_ca", "factory_token_file"])]
    factory: Option<String>,
    /// Certificate of that server or its authority (PEM)
    #[arg(long, value_name = "FILE", requires = "factory")]
    factory_ca: Option<PathBuf>,
    /// File that holds the credential of who may sell devices there
    #[arg(long, value_name = "FILE", requires = "factory")]
    factory_token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "With a server of its own")]
struct OwnServer {
    /// Directory of the server's data, which stays; a temporary one unless given
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    data: Option<PathBuf>,
    /// Bytes of an image
    #[arg(long, value_name = "BYTES", default_value_t = 100_000, conflicts_with = "server")]
    image_size: usize,
    /// When release 1.1 is published and rolled out; never unless given
    #[arg(long, value_name = "TIME", value_parser = clock::duration, conflicts_with = "server")]
    update_after: Option<Duration>,
    /// How many devices of each model are offered it first
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "server")]
    canary: u32,
}

/// Kind of device when none is given.
const MODEL: (&str, &str) = ("maker.example", "sensor");

pub(crate) fn run(command: Sim, printer: &Printer) -> Result<Answer, Failure> {
    match command.part {
        Some(Part::Leash { parent, program, arguments }) => {
            let error = sim::leash(parent, &program, &arguments);
            Err(Failure::new(format!("{} does not start", program.display())).because(&error))
        }
        None => fleet(&command.fleet, printer),
    }
}

fn fleet(args: &FleetArgs, printer: &Printer) -> Result<Answer, Failure> {
    let stop = interrupt::raised_by_signals().map_err(|error| failed(&error))?;
    let plan = plan(args)?;
    let summary = match &args.theirs.server {
        Some(url) => with_their_server(args, &plan, url, &stop, printer)?,
        None => with_own_server(args, &plan, &stop, printer)?,
    };
    show(&summary, printer);
    Ok(summary.ok.into())
}

fn plan(args: &FleetArgs) -> Result<Plan, Failure> {
    let help = "such as: sextant sim --devices 1000 --for 60s";
    let devices =
        args.devices.ok_or_else(|| Failure::new("how many devices there are is not given").help(help))?;
    let seed = match args.seed {
        Some(seed) => seed,
        // Short enough to be typed again.
        None => u64::from(getrandom::u32().map_err(|error| failed(&error))?),
    };
    Ok(Plan {
        devices,
        seed,
        attest: args.attest,
        poll: args.poll,
        life: args.life,
        ramp: args.ramp.unwrap_or_else(|| args.attest.min(args.life / 4)),
        connections: args.connections,
        changed: args.tamper,
        change_after: args.tamper_after.unwrap_or(args.life / 3),
        vanishing: args.offline,
    })
}

fn with_their_server(
    args: &FleetArgs,
    plan: &Plan,
    url: &str,
    stop: &Arc<AtomicBool>,
    printer: &Printer,
) -> Result<Summary, Failure> {
    let TheirServer {
        ca,
        token_file,
        release,
        authorities,
        factory: made_at,
        factory_ca,
        factory_token_file,
        ..
    } = &args.theirs;
    if release.len() != args.model.len() {
        return Err(Failure::new("every --model needs one --release, in the same order"));
    }
    let file = |path: &Option<PathBuf>| {
        path.as_deref()
            .map(Input::read)
            .transpose()
            .map(|input| input.map_or(Vec::new(), |input| input.bytes))
    };
    let place = ServerPlace::new(url, &file(ca)?).map_err(|error| failed(&error))?;
    let secret = |path| Ok::<_, Failure>(String::from_utf8_lossy(&file(path)?).trim().to_owned());
    let token = secret(token_file)?;
    let authorities = AuthorityList::decode(&file(authorities)?)
        .map_err(|error| Failure::new("--authorities is no list of authorities").because(&error))?;
    let factory = Factory::default();
    let mut models = Vec::new();
    for ((vendor, class), release) in args.model.iter().zip(release) {
        let release = Input::read(release)?.bytes;
        let model = factory.model(vendor, class, &release, &authorities);
        models.push(model.map_err(|error| failed(&error))?);
    }
    let mut screen = Screen::new(plan, printer);
    let mut prepared = |progress| screen.show(progress);
    let fleet = if args.onboard {
        let manufacturer = match made_at {
            Some(url) => {
                let place = ServerPlace::new(url, &file(factory_ca)?).map_err(|error| failed(&error))?;
                Manufacturer::new(&place, &secret(factory_token_file)?)
            }
            None => Manufacturer::new(&place, &token),
        };
        Fleet::onboard(plan, &models, &manufacturer, (&place, &token), stop, &mut prepared)
    } else {
        Fleet::prepare(plan, &models, &place, &token, &mut prepared)
    };
    let fleet = fleet.map_err(|error| failed(&error))?;
    let living = fleet.live(stop, &mut |progress| {
        screen.show(progress);
        Ok(())
    });
    living.map_err(|error| failed(&error))
}

fn with_own_server(
    args: &FleetArgs,
    plan: &Plan,
    stop: &Arc<AtomicBool>,
    printer: &Printer,
) -> Result<Summary, Failure> {
    let own = || (MODEL.0.to_owned(), MODEL.1.to_owned());
    let world = WorldPlan {
        sextant: env::current_exe().map_err(|error| failed(&error))?,
        data: args.own.data.clone(),
        seed: plan.seed,
        models: if args.model.is_empty() { vec![own()] } else { args.model.clone() },
        image: args.own.image_size,
        poll: plan.poll,
        attest: plan.attest,
        onboard: args.onboard,
    };
    let mut world = World::start(world, stop).map_err(|error| failed(&error))?;
    let mut screen = Screen::new(plan, printer);
    let lived = live_in(&mut world, args, plan, stop, &mut screen);
    let mut summary = lived.map_err(|error| failed(&error))?;
    world.complete(&mut summary);
    Ok(summary)
}

fn live_in(
    world: &mut World,
    args: &FleetArgs,
    plan: &Plan,
    stop: &Arc<AtomicBool>,
    screen: &mut Screen<'_>,
) -> Result<Summary, sim::Error> {
    let models: Vec<Model> = world.models()?;
    let mut prepared = |progress| screen.show(progress);
    let fleet = match args.onboard {
        true => Fleet::onboard_in(world, plan, &models, stop, &mut prepared)?,
        false => Fleet::prepare_in(world, plan, &models, &mut prepared)?,
    };
    world.keep()?;
    let mut update_after = args.own.update_after;
    fleet.live(stop, &mut |progress| {
        screen.show(progress);
        world.check()?;
        if let Progress::Living { since, .. } = progress
            && update_after.is_some_and(|after| since >= after)
        {
            update_after = None;
            world.update(args.own.canary)?;
        }
        Ok(())
    })
}

/// What is shown while it goes on, on terminals only.
struct Screen<'p> {
    printer: &'p Printer,
    devices: u64,
    life: Duration,
    meter: Option<(&'static str, Meter)>,
}

impl<'p> Screen<'p> {
    fn new(plan: &Plan, printer: &'p Printer) -> Self {
        Self { printer, devices: u64::from(plan.devices), life: plan.life, meter: None }
    }

    fn show(&mut self, progress: Progress) {
        match progress {
            Progress::Made(count) => self.at("making devices", count, String::new()),
            Progress::Enrolled(count) => self.at("enrolling", count, String::new()),
            Progress::Sold(count) => self.at("selling", count, String::new()),
            Progress::Imported(count) => self.at("importing vouchers", count, String::new()),
            Progress::Registered(count) => self.at("registering with rendezvous", count, String::new()),
            Progress::Onboarded(count) => self.at("onboarding", count, String::new()),
            Progress::Living { since, believed, check_ins } => {
                let left = self.life.saturating_sub(since).as_secs();
                let rate = check_ins as f64 / since.as_secs_f64().max(1.0);
                self.at("trusted", believed, format!("{rate:.0} check-ins/s, {left} s left"));
            }
        }
    }

    fn at(&mut self, what: &'static str, position: u64, aside: String) {
        if self.meter.as_ref().is_none_or(|(shown, _)| *shown != what) {
            self.meter = None;
            self.meter = Some((what, self.printer.meter(what, self.devices)));
        }
        if let Some((_, meter)) = &self.meter {
            meter.at(position, aside);
        }
    }
}

/// Everything for programs; for people what matters first.
fn show(summary: &Summary, printer: &Printer) {
    let counts = |counts: &std::collections::BTreeMap<String, u64>| {
        let words: Vec<String> = counts.iter().map(|(word, count)| format!("{word}: {count}")).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    let changed = &summary.changed;
    let phases: Vec<(&str, String)> = summary
        .onboarded
        .iter()
        .flat_map(|onboarded| &onboarded.phases)
        .map(|phase| (phase_name(&phase.name), phase_row(phase)))
        .collect();
    let mib = |kib: Option<u64>| kib.map_or("unknown".to_owned(), |kib| format!("{} MiB", kib / 1024));
    let mut rows = vec![
        (
            "as it should be",
            if summary.ok { "yes".to_owned() } else { format!("no: {} are not", summary.wrong) },
        ),
        ("devices", format!("{}, seed {}", summary.devices, summary.seed)),
        match &summary.onboarded {
            Some(Onboarded { devices, seconds, .. }) => {
                ("onboarded", format!("{devices} in {seconds:.1} s, from the factory on"))
            }
            None => ("enrolled", format!("{} in {:.1} s", summary.enrolled, summary.enrolling_s)),
        },
        ("posture, says the server", counts(&summary.postures)),
        ("version, says the server", counts(&summary.versions)),
        ("result, as devices see it", counts(&summary.results)),
        ("sequence number, as devices run it", counts(&summary.running)),
    ];
    // Behind how many there are and how many of them were onboarded.
    rows.splice(PHASES_AT..PHASES_AT, phases);
    if changed.devices > 0 {
        let Changed { devices, found, missed, unseen, mended, cured } = *changed;
        rows.push((
            "changed behind their backs",
            format!(
                "{devices}: {found} found, {missed} missed, {unseen} not seen since, {mended} mended first; {cured} cured"
            ),
        ));
    }
    if summary.vanishing > 0 {
        rows.push(("off for a while", summary.vanishing.to_string()));
    }
    rows.push((
        "check-ins",
        format!(
            "{} in {:.1} s, {:.1}/s ({} attestations, {} polls)",
            summary.check_ins, summary.life_s, summary.check_ins_per_s, summary.attestations, summary.polls
        ),
    ));
    rows.push(("installations", summary.installations.to_string()));
    let names: Vec<String> = summary.latency.keys().map(|kind| format!("time of a {kind}")).collect();
    rows.extend(names.iter().map(String::as_str).zip(summary.latency.values().map(times)));
    rows.push(("acted later than due", times(&summary.lateness)));
    rows.push(("errors", counts(&summary.errors)));
    rows.push((
        "bytes of bodies",
        format!("{} sent, {} received", summary.sent_bytes, summary.received_bytes),
    ));
    rows.push((
        "most memory",
        format!("fleet {}, server {}", mib(summary.fleet_peak_kib), mib(summary.server_peak_kib)),
    ));
    let seconds =
        |seconds: Option<f64>| seconds.map_or("unknown".to_owned(), |seconds| format!("{seconds:.1} s"));
    rows.push((
        "processor time",
        format!("fleet {}, server {}", seconds(summary.fleet_cpu_s), seconds(summary.server_cpu_s)),
    ));
    rows.extend(summary.wrong_devices.iter().map(|wrong| ("wrong", wrong.clone())));
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(what, value)| vec![what.to_owned(), value]).collect();
    printer.table(&["fleet", ""], &rows, summary);
}

/// Which row the steps of onboarding begin at.
const PHASES_AT: usize = 3;

fn phase_name(name: &str) -> &str {
    match name {
        "make" => "  made in the factory (DI)",
        "sell" => "  sold to the operator",
        "import" => "  vouchers imported, by file",
        "register" => "  registered with rendezvous (TO0)",
        "find" => "  found their owner (TO1)",
        "onboard" => "  taken over by it (TO2)",
        name => name,
    }
}

fn phase_row(phase: &Phase) -> String {
    let Phase { done, seconds, per_s, server_cpu_s, latency, failures, .. } = phase;
    let failures: Vec<String> = failures.iter().map(|(code, count)| format!("{code}: {count}")).collect();
    let failed =
        if failures.is_empty() { String::new() } else { format!("; failed {}", failures.join(", ")) };
    let times = match latency.count {
        0 => String::new(),
        _ => format!(", p50 {:.1} ms, p99 {:.1} ms", latency.p50_ms, latency.p99_ms),
    };
    let cpu = server_cpu_s.map_or(String::new(), |used| format!(", server {used:.1} s"));
    format!("{done} in {seconds:.1} s, {per_s:.1}/s{times}{cpu}{failed}")
}

fn times(latency: &Latency) -> String {
    let Latency { p50_ms, p90_ms, p99_ms, max_ms, count } = latency;
    format!("p50 {p50_ms:.1} ms, p90 {p90_ms:.1} ms, p99 {p99_ms:.1} ms, at most {max_ms:.1} ms ({count})")
}

fn failed(error: &dyn std::error::Error) -> Failure {
    Failure::new("the fleet cannot be simulated").because(error)
}

fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=4096) => Ok(count),
        _ => Err("expected a number from 1 to 4096".to_owned()),
    }
}

fn share(text: &str) -> Result<Share, String> {
    let expected = "expected a number of devices, or a percentage such as 5%";
    match text.strip_suffix('%') {
        Some(percent) => match percent.parse() {
            Ok(percent @ 0..=100) => Ok(Share::Percent(percent)),
            _ => Err(expected.to_owned()),
        },
        None => text.parse().map(Share::Devices).map_err(|_| expected.to_owned()),
    }
}

fn model(text: &str) -> Result<(String, String), String> {
    let halves = text.split_once('/').filter(|(vendor, class)| !vendor.is_empty() && !class.is_empty());
    let (vendor, class) =
        halves.ok_or("expected a vendor's domain and a class, such as maker.example/sensor")?;
    Ok((vendor.to_owned(), class.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_or_a_percentage() {
        assert_eq!(share("7"), Ok(Share::Devices(7)));
        assert_eq!(share("7%"), Ok(Share::Percent(7)));
        for wrong in ["", "%", "-1", "101%", "7.5%", "some"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_model_is_a_vendor_and_a_class() {
        assert_eq!(model("maker.example/sensor/2"), Ok(("maker.example".into(), "sensor/2".into())));
        for wrong in ["", "/", "maker.example", "/sensor", "maker.example/"] {
            assert!(model(wrong).is_err(), "{wrong}");
        }
    }
}
