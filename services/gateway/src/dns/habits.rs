//! What devices ask: counts, and the signs of a tunnel through the resolver that they may use.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use crate::DeviceId;

/// What devices asked. Bounded: of each device a few domains, of each domain a few names, for some minutes.
#[derive(Debug, Default)]
pub struct Habits {
    devices: HashMap<DeviceId, Habit>,
    hashes: RandomState,
}

/// What a device asked since it was last told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Questions.
    pub queries: u64,
    /// Names that there are not.
    pub nxdomain: u64,
    /// Names outside its policy.
    pub outside: u64,
    /// Answers that were withheld, because a public name had a private address.
    pub private: u64,
    /// Questions for other resolvers' names, refused.
    pub blocked: u64,
    /// Long names without pattern beyond the number under one domain that makes a tunnel likely.
    pub tunnel: u64,
    /// The last such domain.
    pub domain: Option<String>,
}

#[derive(Debug, Default)]
struct Habit {
    asked: Asked,
    domains: Vec<Domain>,
}

#[derive(Debug)]
struct Domain {
    name: String,
    since: Instant,
    /// Hashes of the names: what they say is none of our business.
    names: HashSet<u64>,
}

impl Habits {
    /// Long names without pattern under one domain, each another, that are not yet a tunnel.
    pub const NAMES: usize = 32;
    /// How long they are remembered.
    pub const WINDOW: Duration = Duration::from_secs(600);
    /// Domains of one device that are looked at.
    pub const DOMAINS: usize = 8;
    /// Devices that are counted.
    pub const DEVICES: usize = 65_536;

    /// A device asks for a name.
    pub fn asks(&mut self, device: &DeviceId, name: &str, now: Instant) {
        let hash = self.hashes.hash_one(name);
        let Some(habit) = self.habit(device) else { return };
        habit.asked.queries += 1;
        let Some((_, domain)) = split(name).filter(|(label, _)| has_no_pattern(label)) else { return };
        habit.domains.retain(|domain| now.saturating_duration_since(domain.since) < Self::WINDOW);
        let known = habit.domains.iter().position(|known| known.name == domain);
        let place = known.unwrap_or_else(|| {
            if habit.domains.len() >= Self::DOMAINS {
                // The one with the fewest names is the least likely.
                let least = habit.domains.iter().enumerate().min_by_key(|(_, domain)| domain.names.len());
                let least = least.map_or(0, |(index, _)| index);
                habit.domains.swap_remove(least);
            }
            habit.domains.push(Domain { name: domain.to_owned(), since: now, names: HashSet::new() });
            habit.domains.len() - 1
        });
        let Some(of_domain) = habit.domains.get_mut(place) else { return };
        if of_domain.names.len() < Self::NAMES {
            of_domain.names.insert(hash);
        } else if !of_domain.names.contains(&hash) {
            habit.asked.tunnel += 1;
            habit.asked.domain = Some(of_domain.name.clone());
        }
    }

    /// Counts something else that a device did.
    pub fn count(&mut self, device: &DeviceId, what: impl FnOnce(&mut Asked)) {
        if let Some(habit) = self.habit(device) {
            what(&mut habit.asked);
        }
    }

    /// What is new since the last call. Devices that were quiet are forgotten.
    pub fn take(&mut self, now: Instant) -> Vec<(DeviceId, Asked)> {
        let mut news = Vec::new();
        self.devices.retain(|device, habit| {
            let asked = std::mem::take(&mut habit.asked);
            let quiet = asked == Asked::default();
            if !quiet {
                news.push((device.clone(), asked));
            }
            habit.domains.retain(|domain| now.saturating_duration_since(domain.since) < Self::WINDOW);
            !quiet || !habit.domains.is_empty()
        });
        news
    }

    fn habit(&mut self, device: &DeviceId) -> Option<&mut Habit> {
        if !self.devices.contains_key(device) && self.devices.len() >= Self::DEVICES {
            return None;
        }
        Some(self.devices.entry(device.clone()).or_default())
    }
}

/// What stands before the last two labels of a name, and these.
fn split(name: &str) -> Option<(&str, &str)> {
    let (rest, _top) = name.rsplit_once('.')?;
    let (label, _second) = rest.rsplit_once('.')?;
    Some((label, name.get(label.len() + 1..)?))
}

/// Whether a label is long and its characters come in no likely order: encoded data has more than three and a half bits a character,
/// words have less or are short.
fn has_no_pattern(label: &str) -> bool {
    let mut counts = [0u32; 256];
    let mut length = 0u32;
    for byte in label.bytes().filter(|byte| *byte != b'.') {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
        length += 1;
    }
    let share = |count: u32| f64::from(count) / f64::from(length);
    let entropy: f64 =
        counts.iter().filter(|count| **count > 0).map(|count| -share(*count) * share(*count).log2()).sum();
    length >= LONG && entropy > BITS
}

/// Shortest label that can carry much, in characters.
const LONG: u32 = 24;
/// Bits of entropy a character.
const BITS: f64 = 3.5;

#[cfg(test)]
mod tests {
    use super::*;

    fn device(number: u8) -> DeviceId {
        DeviceId::new(&[number]).unwrap()
    }

    /// A name as tunnels make them: data in base 32.
    fn encoded(number: u64) -> String {
        let digest = crypto::Digest::of(crypto::HashAlgorithm::Sha256, &number.to_be_bytes());
        let alphabet = b"abcdefghijklmnopqrstuvwxyz234567";
        digest.as_bytes().iter().map(|byte| char::from(alphabet[usize::from(byte % 32)])).collect()
    }

    #[test]
    fn many_long_names_without_pattern_under_one_domain_are_a_tunnel() {
        let (mut habits, now) = (Habits::default(), Instant::now());
        for number in 0..Habits::NAMES as u64 + 5 {
            habits.asks(&device(1), &format!("{}.t.evil.example", encoded(number)), now);
            // As many, each under another domain; the same one again and again; and ordinary ones.
            habits.asks(&device(2), &format!("{}.cdn{number}.example", encoded(number)), now);
            habits.asks(&device(3), &format!("{}.cdn.example", encoded(1)), now);
            habits.asks(&device(4), &format!("eu-west-{number}.api.maker.example"), now);
            habits.asks(&device(5), &format!("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{number}.evil.example"), now);
        }
        let told: HashMap<_, _> = habits.take(now).into_iter().collect();
        let queries = Habits::NAMES as u64 + 5;
        let tunnel = Asked { queries, tunnel: 5, domain: Some("evil.example".into()), ..Asked::default() };
        assert_eq!(told[&device(1)], tunnel);
        for other in 2..=5 {
            assert_eq!(told[&device(other)], Asked { queries, ..Asked::default() }, "{other}");
        }
        assert_eq!(habits.take(now), [], "told once");
    }

    #[test]
    fn names_are_forgotten_after_the_window_and_domains_are_bounded() {
        let (mut habits, now) = (Habits::default(), Instant::now());
        let later = now + Habits::WINDOW;
        for number in 0..Habits::NAMES as u64 {
            habits.asks(&device(1), &format!("{}.evil.example", encoded(number)), now);
        }
        habits.asks(&device(1), &format!("{}.evil.example", encoded(99)), later);
        assert_eq!(habits.take(later)[0].1.tunnel, 0);
        for domain in 0..100 {
            habits.asks(&device(1), &format!("{}.d{domain}.example", encoded(domain)), later);
        }
        assert_eq!(habits.devices[&device(1)].domains.len(), Habits::DOMAINS);
        habits.take(later);
        habits.take(later + Habits::WINDOW);
        assert!(habits.devices.is_empty());
    }
}
