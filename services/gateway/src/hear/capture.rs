//! Frames as the kernel shows them: those that a table of ours picks, in NFLOG groups of their own. A socket of the link layer
//! would bring every frame that devices send or get, and picking them there takes a filter that safe code cannot set.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::options::field;
use super::{Ear, Frame, Origin};
use crate::netlink::{self, Message, Received, Socket, messages};
use crate::nflog::{self, HWADDR, PACKET, PACKET_HEADER, PAYLOAD};
use crate::nft::{HEARING_GROUPS, Nft, hearing};
use crate::{Error, Heard, Interface, Mac, Site};

/// Receives the frames of the link that say who is where, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Capture {
    socket: Socket,
    nft: Nft,
    buffer: Vec<u8>,
}

impl Capture {
    /// Has the kernel show the frames of the site's LAN. An error where it has no table for them, or another program has a group.
    pub fn open(site: &Site) -> Result<Self, Error> {
        let socket = Socket::open(WAIT)?;
        for group in HEARING_GROUPS {
            nflog::bind(&socket, group, LONGEST, FLUSH)?;
        }
        let mut capture = Self { socket, nft: Nft::new(), buffer: vec![0; netlink::DATAGRAM] };
        capture.renew(site)?;
        Ok(capture)
    }

    /// Makes the tables anew, in one transaction: somebody may have removed them, and ports come and go.
    pub fn renew(&mut self, site: &Site) -> Result<(), Error> {
        self.nft.commit(&hearing(site))
    }

    /// Waits a short while for frames, and gives them to `each`.
    pub fn receive(&mut self, mut each: impl FnMut(Origin, &Frame<'_>)) -> Result<(), Error> {
        // What was lost is said again sooner or later.
        if let Received::Datagram(datagram) = self.socket.receive(&mut self.buffer)? {
            for (origin, frame) in messages(datagram).filter_map(|message| read(&message)) {
                each(origin, &frame);
            }
        }
        Ok(())
    }
}

/// Tells what is heard at the site of a capture, until `stop` is set; notices that within a quarter of a second. `ports` says from time to time
/// which ports the bridge has now.
pub fn listen(
    mut capture: Capture,
    mut site: Site,
    ports: &dyn Fn() -> Result<Vec<Interface>, Error>,
    tell: &dyn Fn(Heard),
    stop: &AtomicBool,
) -> Result<(), Error> {
    let mut ear = Ear::new(site.own.iter().copied());
    let (mut renewed, mut ticked) = (Instant::now(), Instant::now());
    while !stop.load(Ordering::Relaxed) {
        capture.receive(|origin, frame| ear.hear(origin, frame, now()).into_iter().for_each(tell))?;
        if ticked.elapsed() >= TICK {
            ear.tick(now()).into_iter().for_each(tell);
            ticked = Instant::now();
        }
        if renewed.elapsed() >= RENEW {
            match ports() {
                Ok(ports) => site.ports = ports,
                Err(error) => tracing::warn!(%error, "the ports of the bridge are not known"),
            }
            // The tables there were stay.
            if let Err(error) = capture.renew(&site) {
                tracing::warn!(%error, "what the link says may not be heard");
            }
            renewed = Instant::now();
        }
    }
    Ok(())
}

/// The frame of a message, as far as the kernel tells of its head.
fn read<'b>(message: &Message<'b>) -> Option<(Origin, Frame<'b>)> {
    let origin = match (message.kind, message.resource()) {
        (PACKET, 16) => Origin::Link,
        (PACKET, 17) => Origin::Gateway,
        _ => return None,
    };
    let attributes = message.attributes();
    let payload = attributes.find_kind(PAYLOAD)?;
    if (origin, message.family()) == (Origin::Gateway, NETDEV) {
        // Where frames leave an interface, the kernel shows them with their heads.
        return Frame::decode(payload).map(|frame| (origin, frame));
    }
    let ethertype = u16::from_be_bytes(field(attributes.find_kind(PACKET_HEADER)?, 0)?);
    // The kernel tells no source of what it sends itself.
    let source = attributes.find_kind(HWADDR).and_then(nflog::mac).unwrap_or(Mac([0; 6]));
    Some((origin, Frame { source, ethertype, payload }))
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// `NFPROTO_NETDEV`.
const NETDEV: u8 = 5;
/// How long one wait is, which bounds how late a shutdown is noticed.
const WAIT: Duration = Duration::from_millis(250);
/// Bytes of a frame that we want: all, on links of the common size.
const LONGEST: u32 = 2048;
/// The kernel keeps frames back for at most this many hundredths of a second.
const FLUSH: u32 = 1;
/// How late the end of a claim may be noticed.
const TICK: Duration = Duration::from_secs(1);
const RENEW: Duration = Duration::from_secs(120);
