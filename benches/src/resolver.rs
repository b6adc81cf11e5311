//! What the gateway's resolver adds to a query, and how many it answers.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use gateway::{AddressRange, Class, Forwarder, Names, Peer, Program, Service, Shared, Side, Start, Upstream};
use mud::{Family, Ports, Protocol, Verdict};
use sim::{Arrivals, InternetSettings};
use testkit::dns_query;
use tokio::runtime::{Builder, Runtime};

use crate::Effort;
use crate::lab::{GATEWAY, Lab, own_id};
use crate::report::{Row, Section};
use crate::sample::{Sample, rate, time};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let (rounds, slice) = effort.of((20, Duration::from_millis(200)), (480, Duration::from_secs(3)));
    let Some(lab) = Lab::new() else { return Ok(Section::skipped(TITLE, "it needs root")) };
    let host = |at: usize| IpAddr::from([203, 0, 113, 50 + (at % 200) as u8]);
    let names = (0..rounds).map(|at| (new_name(at), vec![host(at)]));
    let settings = InternetSettings {
        dns: vec![UPSTREAM],
        names: names.chain([(KNOWN.to_owned(), vec![host(0)])]).collect(),
        ttl: 60,
        tcp: vec![],
        udp: vec![],
    };
    let _internet = Arrivals::at_internet(&lab.wan, settings).context("the resolver behind the gateway")?;
    let served = Served::start(&lab, rounds)?;

    let direct = Asker::new(&lab, true)?;
    let device = Asker::new(&lab, false)?;
    device.ask(KNOWN)?;
    let (mut there, mut through, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        there.push(direct.ask(KNOWN)?);
        through.push(device.ask(KNOWN)?);
        new.push(device.ask(&new_name(round))?);
    }
    let (alone, both) = (direct.flood(slice)?, device.flood(slice)?);
    drop(served);

    let (there, through, new) =
        (Sample::of_durations(there), Sample::of_durations(through), Sample::of_durations(new));
    let of = |sample: &Sample| format!("p50 {}, p99 {}", time(sample.median()), time(sample.quantile(0.99)));
    let added = |sample: &Sample| {
        format!(
            "p50 {}, p99 {} added",
            time((sample.median() - there.median()).max(0.0)),
            time((sample.quantile(0.99) - there.quantile(0.99)).max(0.0))
        )
    };
    let row = |what: &str, sample: &Sample| Row {
        what: what.to_owned(),
        figure: format!("{}; {}", added(sample), of(sample)),
        beside: format!("the same without the gateway's resolver: {}", of(&there)),
        budget: None,
    };
    let rows = vec![
        row("a query whose addresses the rules have", &through),
        row("a query whose address is new: in the rules before it is in the answer", &new),
        Row {
            what: "answers to one device, fifteen queries at a time".to_owned(),
            figure: rate(both),
            beside: format!("without the gateway's resolver: {}", rate(alone)),
            budget: None,
        },
    ];
    Ok(Section::new(TITLE, METHOD, rows))
}

/// The resolver of the gateway at work.
struct Served {
    _runtime: Runtime,
    _enforcer: Shared,
}

impl Served {
    fn start(lab: &Lab, names: usize) -> Result<Self> {
        let mut enforcer = lab.enforce(0, Arc::new(()))?;
        lab.gateway.enter(|| {
            let resolver = [AddressRange::of_prefix(GATEWAY, u8::MAX)];
            enforcer.set_members(Class::dns(), resolver.into()).context("the class of resolvers")?;
            let policy = enforcer.stage(program(names)?).context("the policy of the device")?;
            enforcer.assign(&[(own_id()?, policy)]).context("the device's policy")?;
            let runtime =
                Builder::new_multi_thread().worker_threads(2).enable_all().build().context("threads")?;
            let enforcer = Shared::new(enforcer);
            let servers = Upstream { servers: vec![UPSTREAM], ..Upstream::default() };
            let names: Arc<dyn Names> = Arc::new(enforcer.clone());
            let forwarder = Forwarder::new(names, Arc::new(()), servers);
            let at = SocketAddr::new(GATEWAY, 53);
            let socket =
                runtime.block_on(tokio::net::UdpSocket::bind(at)).context("the resolver's socket")?;
            runtime.spawn(forwarder.serve_udp(socket));
            Ok(Self { _runtime: runtime, _enforcer: enforcer })
        })
    }
}

/// The device may ask the resolver, and speak to every name there is.
fn program(names: usize) -> Result<Program> {
    let start = |peer: Peer, protocol: Protocol, port: u16| {
        let mut service = Service::of(protocol);
        service.remote_ports = Ports::one(port);
        Start {
            side: Side::From,
            family: Family::V4,
            peer,
            service,
            tls: Vec::new(),
            verdict: Verdict::Accept,
        }
    };
    let mut starts = vec![start(Peer::Class(Class::dns()), Protocol::Udp, 53)];
    starts.extend(
        (0..names)
            .map(new_name)
            .chain([KNOWN.to_owned()])
            .map(|name| start(Peer::Name(name), Protocol::Tcp, 443)),
    );
    Program::new(starts).context("a policy")
}

/// Who asks, and whom.
struct Asker(UdpSocket);

impl Asker {
    /// From the gateway's own namespace the resolver behind it, or from the device's the gateway.
    fn new(lab: &Lab, direct: bool) -> Result<Self> {
        let (space, to) =
            if direct { (&lab.gateway, UPSTREAM) } else { (&lab.device, SocketAddr::new(GATEWAY, 53)) };
        let socket = space.enter(|| UdpSocket::bind(("0.0.0.0", 0))).context("a socket that asks")?;
        socket.connect(to).context("the resolver")?;
        socket.set_read_timeout(Some(Duration::from_secs(2))).context("a time limit")?;
        Ok(Self(socket))
    }

    fn ask(&self, name: &str) -> Result<Duration> {
        let began = Instant::now();
        self.0.send(&dns_query(1, name)).context("asking")?;
        self.answered()?;
        Ok(began.elapsed())
    }

    fn answered(&self) -> Result<()> {
        let mut answer = [0; 512];
        let length = self.0.recv(&mut answer).context("no answer")?;
        let count = answer.get(6..8).filter(|_| length > 12);
        if count != Some(&[0, 1]) {
            bail!("an answer without an address");
        }
        Ok(())
    }

    /// Answers in a second, with as many queries on the way as one device may have.
    fn flood(&self, slice: Duration) -> Result<f64> {
        for _ in 0..AT_ONCE {
            self.0.send(&dns_query(2, KNOWN)).context("asking")?;
        }
        let (began, mut answers) = (Instant::now(), 0_u64);
        while began.elapsed() < slice {
            self.answered()?;
            answers += 1;
            self.0.send(&dns_query(2, KNOWN)).context("asking")?;
        }
        let per_second = answers as f64 / began.elapsed().as_secs_f64();
        for _ in 0..AT_ONCE {
            self.answered()?;
        }
        Ok(per_second)
    }
}

fn new_name(number: usize) -> String {
    format!("host{number}.maker.example")
}

const KNOWN: &str = "api.maker.example";
const UPSTREAM: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 2)), 53);
/// Queries on the way: one less than a device may have.
const AT_ONCE: usize = 15;

const TITLE: &str = "The resolver of the gateway";

const METHOD: &str = "A device asks the gateway's resolver, which asks one behind the gateway; beside it the gateway's \
    namespace asks that one directly. Queries of both kinds interleaved, one at a time. Of a new address the answer is held until nft has \
    confirmed that the rules permit it.";
