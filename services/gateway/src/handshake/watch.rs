//! The loop from the queue to verdicts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use mud::{ClientHello, TlsVerdict};

use super::flows::{Handshakes, Step};
use super::queue::{Queue, Waiting};
use super::segment::Segment;
use crate::conntrack::Conntrack;
use crate::{Error, Event, Flow, Mac, Observer, Shared};

/// What becomes of flows whose handshake is not one that the release describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// They end, and count against their device. While this process is away, none begins.
    #[default]
    Enforce,
    /// They pass and are told. While this process is away, all pass.
    Observe,
    /// Profiles are not looked at.
    Off,
}

/// Decides about the packets in the queue until `stop` is set; notices that within a quarter of a second.
pub fn watch_handshakes(
    queue: Queue,
    enforcer: &Shared,
    mode: TlsMode,
    observer: &dyn Observer,
    stop: &AtomicBool,
) -> Result<(), Error> {
    let conntrack = Conntrack::open()?;
    let mut watch = Watch { queue, conntrack, handshakes: Handshakes::default(), enforcer, mode, observer };
    let mut swept = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        for waiting in watch.queue.receive()? {
            if let Err(error) = watch.take(&waiting) {
                // Its client sends it again; what has no verdict would fill the queue.
                tracing::warn!(%error, "a handshake could not be looked at");
                watch.queue.decide(waiting.id, false)?;
            }
        }
        let now = Instant::now();
        if now.duration_since(swept) >= SWEEP {
            swept = now;
            // Who begins a connection and says nothing has none.
            for flow in watch.handshakes.overdue(now) {
                if let Err(error) = watch.end(&flow) {
                    tracing::warn!(%error, "a connection without handshake stays, and nothing of it passes");
                }
            }
        }
    }
    Ok(())
}

struct Watch<'w> {
    queue: Queue,
    conntrack: Conntrack,
    handshakes: Handshakes,
    enforcer: &'w Shared,
    mode: TlsMode,
    observer: &'w dyn Observer,
}

impl Watch<'_> {
    fn take(&mut self, waiting: &Waiting) -> Result<(), Error> {
        let Some(segment) = Segment::read(&waiting.packet) else {
            return self.queue.decide(waiting.id, self.mode == TlsMode::Observe);
        };
        let flow = segment.flow;
        let found = match self.handshakes.take(&segment, Instant::now()) {
            Step::Pass => return self.queue.decide(waiting.id, true),
            Step::Later => return self.queue.decide(waiting.id, self.mode == TlsMode::Observe),
            Step::Hello(hello) => self.judge(&flow, &hello),
            Step::Fault(fault) => Found::Wrong(fault.to_string()),
            // An earlier process saw how it began. The client has to begin anew.
            Step::Unknown => Found::NotPermitted,
        };
        let pass = match found {
            Found::Right => true,
            Found::NotPermitted => self.mode == TlsMode::Observe,
            Found::Wrong(why) => {
                self.tell(flow, waiting.mac, why);
                self.mode == TlsMode::Observe
            }
        };
        // The mark goes first: what the client sends next is not to wait.
        if pass {
            self.conntrack.unmark(&flow)?;
            self.handshakes.let_go(flow, Instant::now());
        } else {
            self.end(&flow)?;
        }
        self.queue.decide(waiting.id, pass)
    }

    fn judge(&self, flow: &Flow, hello: &ClientHello) -> Found {
        let Some(profiles) = self.enforcer.with(|enforcer| enforcer.tls_profiles(flow)) else {
            return Found::NotPermitted;
        };
        match mud::judge(hello, &profiles, is_name) {
            TlsVerdict::Unrestricted | TlsVerdict::Follows(_) => Found::Right,
            TlsVerdict::Violates { violations, .. } => {
                let told = violations.iter().take(TOLD).map(|one| format!("{} ({})", one, one.code()));
                Found::Wrong(told.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// Deletes the connection, so that nothing of it passes as known.
    fn end(&mut self, flow: &Flow) -> Result<(), Error> {
        self.conntrack.delete_flow(flow).map(|_was_there| ())
    }

    fn tell(&self, flow: Flow, mac: Option<Mac>, why: String) {
        let device = self.enforcer.with(|enforcer| enforcer.device_at(flow.source).cloned());
        let passed = self.mode == TlsMode::Observe;
        self.observer.observe(Event::Handshake { device, mac, flow, why, passed });
    }
}

enum Found {
    /// It keeps to a profile, or none is asked for.
    Right,
    /// Its device may not begin it any more.
    NotPermitted,
    Wrong(String),
}

/// Whether a distinguished name in a profile is that in a message.
fn is_name(text: &str, der: &[u8]) -> bool {
    let names = text.parse::<x509::Name>().ok().zip(x509::Name::decode(der).ok());
    names.is_some_and(|(name, found)| name == found)
}

/// How often flows are looked for that take too long.
const SWEEP: std::time::Duration = std::time::Duration::from_secs(1);
/// Things that are told of one message.
const TOLD: usize = 4;
