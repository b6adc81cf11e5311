//! From what frames say to what is heard about devices.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;

use mud::{Announcer, MudUrl, announced_by_dhcp, announced_url};

use super::claims::{Basis, Claims};
use super::{Dhcp4, Dhcp4Kind, Dhcp6, Dhcp6Kind, Frame, Only, Said};
use crate::{Announced, Heard, Mac, News};

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It came from the link.
    Link,
    /// The gateway, or a server beyond it, sent it to the link.
    Gateway,
}

/// What was heard so far. Bounded: a flood is heard no further than there is room, and takes nothing from those that are known.
#[derive(Debug, Default)]
pub struct Ear {
    own: BTreeSet<IpAddr>,
    claims: Claims,
    /// Questions to servers that wait for an answer.
    asked: VecDeque<Asked>,
    speakers: HashMap<Mac, Speaker>,
}

#[derive(Debug)]
struct Asked {
    mac: Mac,
    transaction: u32,
    /// The client's identifier; none in IPv4, where the client is the MAC.
    client: Option<Box<[u8]>>,
    at: i64,
}

/// Who says something about its MUD file.
#[derive(Debug, Default)]
struct Speaker {
    last: i64,
    v4: Kept,
    v6: Kept,
    /// What was last told, and when, by the way it was announced.
    told: HashMap<Announced, (Option<MudUrl>, i64)>,
}

/// The last option of a sort.
#[derive(Debug, Default)]
enum Kept {
    #[default]
    None,
    One(Box<[u8]>),
    Several,
}

impl Ear {
    /// MACs that say something about MUD files and are remembered.
    pub const MAX_SPEAKERS: usize = 4096;
    /// Questions to servers that are remembered, of one MAC and of all.
    pub const MAX_ASKED_BY_ONE: usize = 4;
    /// The same of all.
    pub const MAX_ASKED: usize = 1024;
    /// Seconds for which an address counts as in use after its claimant was heard with it.
    pub const USE: i64 = 1800;
    /// Longest lease that counts, in seconds: nobody uses an address for longer without another sign.
    pub const MAX_LEASE: i64 = 7 * 86_400;

    /// An ear at a gateway with these addresses, which are nobody else's.
    pub fn new(own: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { own: own.into_iter().collect(), ..Self::default() }
    }

    /// Takes one frame; gives what is new, at `now` in seconds since 1970.
    pub fn hear(&mut self, origin: Origin, frame: &Frame<'_>, now: i64) -> Vec<Heard> {
        match (origin, frame.said()) {
            (_, None) => Vec::new(),
            (Origin::Link, Some(said)) if is_host(frame.source) => match said {
                Said::Dhcp4(message) => self.client_v4(frame.source, &message, now),
                Said::Dhcp6(message) => self.client_v6(frame.source, &message, now),
                Said::Lldp(frame_of) => self.lldp(frame.source, frame_of.mud, now),
                Said::Neighbour(claim) => {
                    let (basis, life) =
                        if claim.tentative { (Basis::Asked, ASKED) } else { (Basis::Spoken, Self::USE) };
                    self.claim(frame.source, claim.address, basis, now + life, now)
                }
            },
            (Origin::Gateway, Some(Said::Dhcp4(message))) => self.server_v4(&message, now),
            (Origin::Gateway, Some(Said::Dhcp6(message))) => self.server_v6(&message, now),
            _ => Vec::new(),
        }
    }

    /// Forgets what has ended; gives what that means.
    pub fn tick(&mut self, now: i64) -> Vec<Heard> {
        while self.asked.front().is_some_and(|asked| asked.at + ANSWER <= now) {
            self.asked.pop_front();
        }
        self.speakers.retain(|_, speaker| speaker.last + FORGET > now);
        self.claims.tick(now)
    }

    fn client_v4(&mut self, mac: Mac, message: &Dhcp4<'_>, now: i64) -> Vec<Heard> {
        // Whoever asks for another is no client of ours, nor a relay.
        if message.client != mac {
            return Vec::new();
        }
        match message.kind {
            Dhcp4Kind::Discover | Dhcp4Kind::Request | Dhcp4Kind::Inform => {
                self.ask(mac, message.transaction, None, now);
            }
            Dhcp4Kind::Release => self.claims.give_back(mac, message.has.into(), now),
            Dhcp4Kind::Decline => {
                if let Some(address) = message.wants {
                    self.claims.give_back(mac, address.into(), now);
                }
            }
            Dhcp4Kind::Ack => return Vec::new(),
        }
        self.announce(mac, Announced::Dhcpv4, message.mud, now)
    }

    fn client_v6(&mut self, mac: Mac, message: &Dhcp6<'_>, now: i64) -> Vec<Heard> {
        match message.kind {
            Dhcp6Kind::Ask => self.ask(mac, message.transaction, Some(message.client), now),
            Dhcp6Kind::Release | Dhcp6Kind::Decline => {
                for lease in message.leases() {
                    self.claims.give_back(mac, lease.address.into(), now);
                }
            }
            Dhcp6Kind::Reply => return Vec::new(),
        }
        self.announce(mac, Announced::Dhcpv6, message.mud, now)
    }

    fn server_v4(&mut self, message: &Dhcp4<'_>, now: i64) -> Vec<Heard> {
        let (Dhcp4Kind::Ack, Some(lease)) = (message.kind, message.lease) else { return Vec::new() };
        if !self.has_asked(Some(message.client), message.transaction, None) || message.gives.is_unspecified()
        {
            return Vec::new();
        }
        self.claim(message.client, message.gives.into(), Basis::Leased, end(lease, now), now)
    }

    fn server_v6(&mut self, message: &Dhcp6<'_>, now: i64) -> Vec<Heard> {
        let is_answered = |asked: &&Asked| {
            asked.transaction == message.transaction && asked.client.as_deref() == Some(message.client)
        };
        let (Dhcp6Kind::Reply, Some(mac)) =
            (message.kind, self.asked.iter().find(is_answered).map(|asked| asked.mac))
        else {
            return Vec::new();
        };
        let mut news = Vec::new();
        for lease in message.leases() {
            if lease.valid == 0 {
                self.claims.give_back(mac, lease.address.into(), now);
            } else {
                let address = lease.address.into();
                news.extend(self.claim(mac, address, Basis::Leased, end(lease.valid, now), now));
            }
        }
        news
    }

    fn claim(&mut self, mac: Mac, address: IpAddr, basis: Basis, until: i64, now: i64) -> Vec<Heard> {
        if self.own.contains(&address) {
            Vec::new()
        } else {
            self.claims.claim(mac, address, basis, until, now)
        }
    }

    /// Remembers a question, in place of the oldest of the same MAC, or of all.
    fn ask(&mut self, mac: Mac, transaction: u32, client: Option<&[u8]>, now: i64) {
        let client = client.map(Box::from);
        if self.has_asked(Some(mac), transaction, client.as_deref()) {
            return;
        }
        if self.asked.iter().filter(|asked| asked.mac == mac).count() >= Self::MAX_ASKED_BY_ONE
            && let Some(oldest) = self.asked.iter().position(|asked| asked.mac == mac)
        {
            self.asked.remove(oldest);
        }
        if self.asked.len() >= Self::MAX_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back(Asked { mac, transaction, client, at: now });
    }

    fn has_asked(&self, mac: Option<Mac>, transaction: u32, client: Option<&[u8]>) -> bool {
        self.asked.iter().any(|asked| {
            mac.is_none_or(|mac| mac == asked.mac)
                && (asked.transaction, asked.client.as_deref()) == (transaction, client)
        })
    }

    /// Takes an option of DHCP. Both versions together say one thing, or nothing (RFC 8520, section 10.1).
    fn announce(&mut self, mac: Mac, by: Announced, option: Only<'_>, now: i64) -> Vec<Heard> {
        let kept = match option {
            Only::None => return Vec::new(),
            Only::One(bytes) if bytes.len() <= MAX_OPTION => Kept::One(bytes.into()),
            Only::One(_) | Only::Several => Kept::Several,
        };
        let Some(speaker) = self.speaker(mac, now) else { return Vec::new() };
        if by == Announced::Dhcpv4 {
            speaker.v4 = kept;
        } else {
            speaker.v6 = kept;
        }
        // Two that are none stand for several.
        let (v4, v6) = (speaker.v4.options(), speaker.v6.options());
        let url = announced_by_dhcp(&v4, &v6).ok().flatten();
        speaker.tell(mac, by, url, now)
    }

    fn lldp(&mut self, mac: Mac, tlv: Only<'_>, now: i64) -> Vec<Heard> {
        let url = match tlv {
            Only::None => return Vec::new(),
            Only::One(bytes) => announced_url(Announcer::Lldp, bytes).ok(),
            Only::Several => None,
        };
        let Some(speaker) = self.speaker(mac, now) else { return Vec::new() };
        speaker.tell(mac, Announced::Lldp, url, now)
    }

    fn speaker(&mut self, mac: Mac, now: i64) -> Option<&mut Speaker> {
        if !self.speakers.contains_key(&mac) && self.speakers.len() >= Self::MAX_SPEAKERS {
            return None;
        }
        let speaker = self.speakers.entry(mac).or_default();
        speaker.last = now;
        Some(speaker)
    }
}

impl Speaker {
    /// Tells what is new at once, but no faster than somebody could act on it, and what is not from time to time.
    fn tell(&mut self, mac: Mac, by: Announced, url: Option<MudUrl>, now: i64) -> Vec<Heard> {
        if let Some((told, at)) = self.told.get(&by)
            && now < at + if *told == url { REPEAT } else { CHANGE }
        {
            return Vec::new();
        }
        self.told.insert(by, (url.clone(), now));
        let news = url.map_or(News::Contradicts(by), |url| News::Announces { url, by });
        vec![Heard { mac, news }]
    }
}

impl Kept {
    fn options(&self) -> Vec<&[u8]> {
        match self {
            Self::None => Vec::new(),
            Self::One(option) => vec![option],
            Self::Several => vec![&[], &[]],
        }
    }
}

/// Whether one host can have the address.
fn is_host(mac: Mac) -> bool {
    let [first, ..] = mac.0;
    first & 1 == 0 && mac.0 != [0; 6]
}

fn end(seconds: u32, now: i64) -> i64 {
    now + i64::from(seconds).min(Ear::MAX_LEASE)
}

/// Longest option that is looked at, in bytes: that of DHCPv4 has no more, with code and length.
const MAX_OPTION: usize = 257 + 2;
/// Seconds for which an address counts as in use after its claimant asked whether it may have it.
const ASKED: i64 = 60;
/// Seconds within which a server answers.
const ANSWER: i64 = 60;
/// Seconds between two reports of the same announcement, and of another one.
const REPEAT: i64 = 600;
const CHANGE: i64 = 10;
/// Seconds after which an announcement that is not repeated is forgotten: DHCP leases are renewed, LLDP comes twice a minute.
const FORGET: i64 = 86_400;
