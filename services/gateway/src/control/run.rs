//! The process: threads around the controller. Each ends with the gateway; the rules stay in the kernel.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Runtime;

use super::admission::Admission;
use super::controller::{Controller, now_ms};
use super::edge::{self, Bell, Edge};
use super::follow::Following;
use super::names::Observed;
use super::outbox::{self, Outbox};
use super::place::{DNS, Place};
use super::servers::Servers;
use super::{Anchors, Client, Config, Journal, StartError, link, standing, traffic};
use crate::manager::{Fetcher, Sources, SystemResolver, work};
use crate::{
    Conntrack, Endings, Event, Forwarder, Interface, Listener, Observer, Queue, Site, TlsMode, Upstream,
    hear, watch, watch_handshakes,
};

/// A gateway at work, in the network namespace of the thread that started it.
pub struct Gateway {
    controller: Arc<Controller>,
    outbox: Arc<Outbox>,
    stop: Arc<Stop>,
    bell: Arc<Bell>,
    threads: Vec<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

/// Runs a gateway until the process ends. What is in the kernel stays there.
pub fn run(config: Config) -> Result<(), StartError> {
    let gateway = Gateway::start(config)?;
    gateway.stop.wait_for_ever();
    Ok(())
}

impl Gateway {
    /// Starts a gateway. When this returns, the kernel enforces what the journal knows, whether or not there is a
    /// server.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let mut anchors = Anchors::load(&config.anchors)?;
        anchors.settle = config.settle.into();
        let fetcher = match &config.mud_sources {
            None => None,
            Some(path) => {
                anchors.sources = Sources::load(path)?;
                let fetcher = Fetcher::new(&anchors.sources, SystemResolver)?;
                Some((Arc::new(fetcher), Arc::new(anchors.sources.clone())))
            }
        };
        let client = Client::new(&config)?;
        let lan = Interface::new(&config.lan)?;
        let site = Place::of(&config, &lan)?;
        let (journal, saved) = Journal::open(&config.data)?;
        let remembered = saved.names.clone();
        let outbox = Arc::new(Outbox::default());
        let (sender, events) = channel();
        let observer: Arc<dyn Observer> = Arc::new(sender);
        let now = now_ms() / 1000;
        let hearing = site.site.clone();
        let kernel = (site.site, site.wanted);
        let controller = Controller::open(
            anchors,
            (journal, saved),
            kernel,
            Arc::clone(&observer),
            Arc::clone(&outbox),
            now,
        )?;
        let controller = Arc::new(controller);
        let needed = site.servers.names().map(str::to_owned).collect();
        let names = Arc::new(Observed::new(controller.enforcer().clone(), needed, &remembered));
        let edge = Edge::of(&config)?;
        let stop = Arc::new(Stop::default());
        let bell = Arc::new(Bell::default());
        let mut gateway =
            Self { controller, outbox, stop, bell, threads: Vec::new(), runtime: Some(runtime()?) };
        gateway.open_services(&config, (&site.listen, site.resolvers), &lan, &names, &observer)?;
        gateway.open_hearing(hearing, lan.clone(), Arc::clone(&observer))?;
        gateway.open_handshakes(config.tls_profiles, &observer)?;
        gateway.open_telemetry(site.following, Arc::clone(&names), observer, events)?;
        gateway.open_server(&config, client)?;
        gateway.open_clock(lan, names)?;
        gateway.open_lookup(site.servers)?;
        gateway.open_edge(edge)?;
        gateway.open_manager(fetcher)?;
        tracing::info!(lan = config.lan, wan = config.wan, "the gateway enforces");
        Ok(gateway)
    }

    /// Ends the threads. The rules stay.
    pub fn stop(mut self) {
        self.stop.set();
        self.outbox.ring();
        self.bell.ring();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        for thread in self.threads.drain(..) {
            // One that panicked has said so.
            let _ended = thread.join();
        }
    }

    /// Resolver and admission on the LAN.
    fn open_services(
        &mut self,
        config: &Config,
        (listen, resolvers): (&[IpAddr], BTreeSet<String>),
        lan: &Interface,
        names: &Arc<Observed>,
        observer: &Arc<dyn Observer>,
    ) -> Result<(), StartError> {
        let Some(runtime) = &self.runtime else { return Ok(()) };
        let door = Arc::clone(&self.controller);
        let admission = Admission::on(door, lan.clone())
            .map_err(|error| StartError::Setting(format!("no randomness: {error}")))?;
        let admission = Arc::new(admission);
        for address in listen {
            let at = SocketAddr::new(*address, config.admission_port);
            let listener = bind(runtime, TcpListener::bind(at), "admission", at)?;
            runtime.spawn(Arc::clone(&admission).serve(listener));
        }
        if config.dns_upstream.is_empty() {
            return Ok(());
        }
        let upstream = Upstream {
            servers: config.dns_upstream.clone(),
            private_domains: config.private_domains.clone(),
            resolvers,
        };
        let forwarder =
            Forwarder::new(Arc::clone(names) as Arc<dyn crate::Names>, Arc::clone(observer), upstream);
        let (asked, outbox) = (Arc::clone(&forwarder), Arc::clone(&self.outbox));
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(TELL_QUESTIONS).await;
                for (device, asked) in asked.take_habits() {
                    outbox.asked(outbox::asked(&device, asked, now_ms()));
                }
            }
        });
        for address in listen {
            let at = SocketAddr::new(*address, DNS);
            let socket = bind(runtime, UdpSocket::bind(at), "the resolver", at)?;
            runtime.spawn(Arc::clone(&forwarder).serve_udp(socket));
            let listener = bind(runtime, TcpListener::bind(at), "the resolver", at)?;
            runtime.spawn(Arc::clone(&forwarder).serve_tcp(listener));
        }
        Ok(())
    }

    /// From the link to whoever makes something of it. A kernel that shows no frames is no reason not to enforce.
    fn open_hearing(
        &mut self,
        site: Site,
        lan: Interface,
        observer: Arc<dyn Observer>,
    ) -> Result<(), StartError> {
        let (stop, outbox) = (Arc::clone(&self.stop), Arc::clone(&self.outbox));
        let deaf = move |error| {
            tracing::warn!(%error, "what devices say on the link is not heard");
            let text = "What devices say on the link is not heard.".to_owned();
            outbox.stands("hearing", "not-hearing", false, text);
        };
        // Here and not on the thread, so that whatever is said after the start is heard.
        let capture = match hear::Capture::open(&site) {
            Ok(capture) => capture,
            Err(error) => {
                deaf(error);
                return Ok(());
            }
        };
        let text = "What devices say on the link is heard.".to_owned();
        self.outbox.stands("hearing", "hearing", true, text);
        self.spawn("hear", move || {
            let tell = |heard| observer.observe(Event::Heard(heard));
            if let Err(error) = hear::listen(capture, site, &|| link::ports(&lan), &tell, &stop.flag) {
                deaf(error);
            }
        })
    }

    /// From the kernel's log to the server.
    fn open_telemetry(
        &mut self,
        following: Following,
        names: Arc<Observed>,
        observer: Arc<dyn Observer>,
        events: Receiver<Event>,
    ) -> Result<(), StartError> {
        let listener = Listener::open()?;
        let (stop, enforcer) = (Arc::clone(&self.stop), self.controller.enforcer().clone());
        self.spawn("telemetry", move || {
            if let Err(error) = watch(listener, &enforcer, observer.as_ref(), &stop.flag) {
                tracing::error!(%error, "what the kernel drops is not reported any more");
            }
        })?;
        let tracked = (Endings::open()?, Conntrack::open()?);
        let (stop, enforcer, outbox, known) = (
            Arc::clone(&self.stop),
            self.controller.enforcer().clone(),
            Arc::clone(&self.outbox),
            Arc::clone(&names),
        );
        self.spawn("traffic", move || {
            if let Err(error) = traffic::record(tracked, &enforcer, &known, &outbox, &stop.flag) {
                tracing::error!(%error, "what devices do is not recorded any more");
            }
        })?;
        let (stop, controller, outbox, bell) = (
            Arc::clone(&self.stop),
            Arc::clone(&self.controller),
            Arc::clone(&self.outbox),
            Arc::clone(&self.bell),
        );
        self.spawn("events", move || {
            while !stop.is_set() {
                match events.recv_timeout(TICK) {
                    Ok(event) => note(event, &following, &names, &controller, &outbox, &bell),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })
    }

    /// What becomes of handshakes.
    fn open_handshakes(&mut self, mode: TlsMode, observer: &Arc<dyn Observer>) -> Result<(), StartError> {
        if mode == TlsMode::Off {
            return Ok(());
        }
        let queue = Queue::open()?;
        let (stop, enforcer) = (Arc::clone(&self.stop), self.controller.enforcer().clone());
        let observer = Arc::clone(observer);
        self.spawn("handshakes", move || {
            if let Err(error) = watch_handshakes(queue, &enforcer, mode, observer.as_ref(), &stop.flag) {
                tracing::error!(%error, "nobody looks at handshakes any more");
            }
        })
    }

    /// To and from the server.
    fn open_server(&mut self, config: &Config, client: Client) -> Result<(), StartError> {
        let client = Arc::new(client);
        let (stop, controller, asked) =
            (Arc::clone(&self.stop), Arc::clone(&self.controller), Arc::clone(&client));
        self.spawn("state", move || follow(&asked, &controller, &stop))?;

        let (stop, outbox, name) = (Arc::clone(&self.stop), Arc::clone(&self.outbox), config.name.clone());
        self.spawn("reports", move || send(&client, &outbox, &name, &stop))
    }

    /// What happens by itself.
    fn open_clock(&mut self, lan: Interface, names: Arc<Observed>) -> Result<(), StartError> {
        let (stop, controller, outbox) =
            (Arc::clone(&self.stop), Arc::clone(&self.controller), Arc::clone(&self.outbox));
        standing::look(&lan, controller.enforcer(), &outbox);
        self.spawn("clock", move || {
            let (mut looked, mut saved) = (Instant::now(), Instant::now());
            while !stop.is_set() {
                controller.tick(TICK, || now_ms() / 1000);
                if saved.elapsed() >= SAVE_NAMES {
                    if let Some(names) = names.unsaved(now_ms() / 1000) {
                        controller.save_names(&names);
                    }
                    saved = Instant::now();
                }
                if looked.elapsed() >= RECONCILE {
                    controller.reconcile();
                    standing::look(&lan, controller.enforcer(), &outbox);
                    looked = Instant::now();
                }
            }
        })
    }

    /// Tells those who stand between the devices and the gateway.
    fn open_edge(&mut self, edge: Option<Edge>) -> Result<(), StartError> {
        let Some(mut edge) = edge else { return Ok(()) };
        let (stop, bell, enforcer) =
            (Arc::clone(&self.stop), Arc::clone(&self.bell), self.controller.enforcer().clone());
        self.spawn("edge", move || {
            while !stop.is_set() {
                edge.tell(&enforcer);
                bell.wait(edge::SWEEP);
            }
        })
    }

    /// Brings MUD files for devices without attestation.
    fn open_manager(&mut self, fetcher: Option<(Arc<Fetcher>, Arc<Sources>)>) -> Result<(), StartError> {
        let Some((fetcher, sources)) = fetcher else { return Ok(()) };
        for number in 0..FETCHERS {
            let (stop, controller) = (Arc::clone(&self.stop), Arc::clone(&self.controller));
            let (fetcher, sources) = (Arc::clone(&fetcher), Arc::clone(&sources));
            self.spawn(&format!("mud-{number}"), move || {
                let pause = |time| stop.wait(time);
                work(controller.as_ref(), &fetcher, &sources, &stop.flag, (|| now_ms() / 1000, pause));
            })?;
        }
        Ok(())
    }

    /// The controller, for whoever listens on the link.
    pub fn controller(&self) -> &Arc<Controller> {
        &self.controller
    }

    /// Follows the server's name.
    fn open_lookup(&mut self, mut servers: Servers) -> Result<(), StartError> {
        if servers.names().next().is_none() {
            return Ok(());
        }
        let (stop, enforcer) = (Arc::clone(&self.stop), self.controller.enforcer().clone());
        self.spawn("lookup", move || {
            loop {
                stop.wait(servers.pause());
                if stop.is_set() {
                    return;
                }
                if !servers.look() {
                    continue;
                }
                let endpoints = servers.endpoints();
                tracing::info!(?endpoints, "the server's name stands for other addresses");
                if let Err(error) = enforcer.with(|enforcer| enforcer.reach_servers_at(endpoints)) {
                    // The periodic comparison tries again.
                    tracing::error!(%error, "the way to the server's new addresses is not open yet");
                }
            }
        })
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
        let builder = std::thread::Builder::new().name(name.to_owned());
        let thread = builder.spawn(work).map_err(StartError::io("starting a thread"))?;
        self.threads.push(thread);
        Ok(())
    }
}

/// Asks for news for ever. Without a server everything stays until signed results end.
fn follow(client: &Client, controller: &Controller, stop: &Stop) {
    // Who knows nothing takes what there is, at once.
    let (mut revision, mut wait) = (0, Duration::ZERO);
    let mut failures = 0;
    while !stop.is_set() {
        match client.state(revision, wait) {
            Ok(answer) => {
                failures = 0;
                wait = Client::WAIT;
                // A server that was restored from a backup may be behind.
                revision = answer.revision;
                let now = now_ms() / 1000;
                controller.update(now, |state| state.take_in(&answer, now));
            }
            Err(error) => {
                failures += 1;
                let wait = back_off(failures);
                tracing::warn!(%error, cause = cause(&error), ?wait, "no news from the server");
                stop.wait(wait);
            }
        }
    }
}

/// Sends reports for ever, and one from time to time when there is nothing to tell, as a sign of life.
fn send(client: &Client, outbox: &Outbox, name: &str, stop: &Stop) {
    let mut failures = 0;
    while !stop.is_set() {
        let report = outbox.collect(name, HEARTBEAT);
        if stop.is_set() {
            return;
        }
        match client.report(&report) {
            Ok(()) => failures = 0,
            // It would stand in the way of all that follow.
            Err(error) if error.is_final() => tracing::error!(%error, "a report was refused and is dropped"),
            Err(error) => {
                outbox.put_back(report);
                failures += 1;
                let wait = back_off(failures);
                tracing::warn!(%error, cause = cause(&error), ?wait, "the server was not told");
                stop.wait(wait);
            }
        }
    }
}

/// What an event means to the record, the decisions and the log.
fn note(
    event: Event,
    following: &Following,
    names: &Observed,
    controller: &Controller,
    outbox: &Outbox,
    bell: &Bell,
) {
    match event {
        Event::Violation(violation) => {
            let now = now_ms();
            let far = match violation.kind {
                crate::ViolationKind::ToDevice => violation.flow.source,
                _ => violation.flow.destination,
            };
            let told = outbox::violation(&violation, names.name_of(far), now);
            // What others send to a device is not its doing, and what passes is what the operator asked to see.
            let by_device =
                !matches!(violation.kind, crate::ViolationKind::ToDevice | crate::ViolationKind::Observed);
            if let Some(device) = violation.device.as_ref().filter(|_| by_device) {
                let target = format!("{} {} port {}", told.dst, told.protocol, told.dport);
                let noted = trust::Violation { at: now / 1000, count: violation.count, target };
                controller.violated(device, &violation.flow, noted, now / 1000);
            }
            outbox.violated(told);
        }
        Event::Handshake { device, mac, flow, why, passed } => {
            let now = now_ms();
            tracing::info!(device.id = ?device, ?flow, why, passed, "a handshake is not one that is described");
            let told = outbox::handshake(
                (device.as_ref(), mac),
                &flow,
                (why, passed),
                names.name_of(flow.destination),
                now,
            );
            if let Some(device) = device.filter(|_| !passed) {
                let why = told.tls.as_deref().unwrap_or_default();
                let target = format!("{} {} port {}: {why}", told.dst, told.protocol, told.dport);
                let noted = trust::Violation { at: now / 1000, count: 1, target };
                controller.misbegun(&device, noted, now / 1000);
            }
            outbox.violated(told);
        }
        Event::Applied { device, policy, cut, .. } => {
            tracing::debug!(device.id = %device, %policy, cut, "the kernel has the policy");
            bell.ring();
        }
        Event::NameOutOfPolicy { device, name, refused } => {
            tracing::info!(device.id = %device, name, refused, "a name outside the policy was asked for");
        }
        Event::PrivateAnswer { device, name, address } => {
            tracing::warn!(device.id = %device, name, %address, "a public name with a private address was withheld");
        }
        Event::Heard(heard) => {
            let now = now_ms() / 1000;
            following.heard(controller, &heard, now);
            controller.heard(&heard, now);
        }
        Event::Rebuilt { reason } => tracing::warn!(reason, "the packet filter was rebuilt"),
        Event::Overflow { packets } => tracing::warn!(packets, "dropped packets are missing from reports"),
    }
}

fn runtime() -> Result<Runtime, StartError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().map_err(StartError::io("starting the services"))
}

fn bind<T>(
    runtime: &Runtime,
    opening: impl Future<Output = std::io::Result<T>>,
    what: &str,
    at: SocketAddr,
) -> Result<T, StartError> {
    runtime.block_on(opening).map_err(StartError::io(format!("opening {what} at {at}")))
}

/// Exponential, with jitter, so that gateways that lost their server together do not come back together.
fn back_off(failures: u32) -> Duration {
    let ceiling = FIRST_RETRY.saturating_mul(1 << failures.min(8).saturating_sub(1)).min(LONGEST_RETRY);
    let mut random = [0; 2];
    // Without randomness there is no jitter, and that is all.
    let _filled = getrandom::fill(&mut random);
    ceiling / 2 + (ceiling / 2) * u32::from(u16::from_be_bytes(random)) / u32::from(u16::MAX)
}

/// The innermost cause, which says most.
fn cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// A flag to end by, which can be waited on.
#[derive(Default)]
struct Stop {
    flag: AtomicBool,
    lock: Mutex<()>,
    bell: Condvar,
}

impl Stop {
    fn is_set(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    fn set(&self) {
        let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.flag.store(true, Ordering::Relaxed);
        self.bell.notify_all();
    }

    fn wait(&self, time: Duration) {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.bell.wait_timeout_while(lock, time, |()| !self.is_set());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn wait_for_ever(&self) {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.bell.wait_while(lock, |()| !self.is_set()).unwrap_or_else(PoisonError::into_inner));
    }
}

/// Files that are brought at the same time.
const FETCHERS: usize = 4;
/// How late a due decision may be, and the end of the process be noticed.
const TICK: Duration = Duration::from_millis(250);
/// How often the kernel is compared with what it should hold.
const RECONCILE: Duration = Duration::from_secs(120);
/// How often addresses of names are written down.
const SAVE_NAMES: Duration = Duration::from_secs(5);
/// How often the server is told what devices ask.
const TELL_QUESTIONS: Duration = Duration::from_secs(10);
/// How long the server hears nothing when there is nothing to tell.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// First wait after a failure, and the longest.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
