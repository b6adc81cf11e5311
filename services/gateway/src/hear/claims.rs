//! Who is heard with which address. Bounded and forgetful, and an address has one claimant at a time.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::{Heard, Mac, News};

/// Claims to addresses.
#[derive(Debug, Default)]
pub(super) struct Claims {
    by_address: HashMap<IpAddr, Claim>,
    of_mac: HashMap<Mac, usize>,
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    mac: Mac,
    basis: Basis,
    until: i64,
    /// The end that was last told.
    told: i64,
}

/// What a claim rests on, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Basis {
    /// The claimant asked whether it may have the address, and nobody objected yet.
    Asked,
    /// The claimant speaks for the address.
    Spoken,
    /// The site's own server gave it the address.
    Leased,
}

impl Claims {
    /// Claims kept, of one MAC and of all.
    pub(super) const OF_ONE: usize = 16;
    pub(super) const CAPACITY: usize = 16_384;

    /// Takes a claim; gives what is new. An address that has a claimant goes to another only by the word of the server, or when
    /// the claimant had but asked for it.
    pub(super) fn claim(
        &mut self,
        mac: Mac,
        address: IpAddr,
        basis: Basis,
        until: i64,
        now: i64,
    ) -> Vec<Heard> {
        let mut news = Vec::new();
        match self.by_address.get_mut(&address) {
            Some(claim) if claim.mac == mac => {
                claim.basis = claim.basis.max(basis);
                claim.until = if basis == Basis::Leased { until } else { claim.until.max(until) };
                if claim.until >= claim.told + RENEWAL || claim.until < claim.told {
                    claim.told = claim.until;
                    news.push(Heard { mac, news: News::Uses { address, until: claim.until } });
                }
                return news;
            }
            Some(claim) => {
                let (live, stronger) = (claim.until > now, basis > claim.basis || basis == Basis::Leased);
                if live && !stronger {
                    return news;
                }
                news.push(Heard { mac: claim.mac, news: News::Releases(address) });
                self.remove(address);
            }
            None => {}
        }
        let some = self.of_mac.get(&mac).copied().unwrap_or(0);
        if some < Self::OF_ONE && self.by_address.len() < Self::CAPACITY {
            self.of_mac.insert(mac, some + 1);
            self.by_address.insert(address, Claim { mac, basis, until, told: until });
            news.push(Heard { mac, news: News::Uses { address, until } });
        }
        news
    }

    /// The claimant gives an address back. Anybody can say so in its place, so it has a while to be heard again.
    pub(super) fn give_back(&mut self, mac: Mac, address: IpAddr, now: i64) {
        if let Some(claim) = self.by_address.get_mut(&address).filter(|claim| claim.mac == mac) {
            claim.until = claim.until.min(now + SECOND_THOUGHTS);
        }
    }

    /// Forgets what has ended. Addresses that a server gave are said to be free; of others nobody knows.
    pub(super) fn tick(&mut self, now: i64) -> Vec<Heard> {
        let ended: Vec<(IpAddr, Claim)> =
            self.by_address.iter().filter(|(_, claim)| claim.until <= now).map(|(a, c)| (*a, *c)).collect();
        let mut news = Vec::new();
        for (address, claim) in ended {
            self.remove(address);
            if claim.basis == Basis::Leased {
                news.push(Heard { mac: claim.mac, news: News::Releases(address) });
            }
        }
        news
    }

    fn remove(&mut self, address: IpAddr) {
        let Some(claim) = self.by_address.remove(&address) else { return };
        if let Some(count) = self.of_mac.get_mut(&claim.mac) {
            *count -= 1;
            if *count == 0 {
                self.of_mac.remove(&claim.mac);
            }
        }
    }
}

/// Seconds by which the end of a claim must have moved to be told again.
const RENEWAL: i64 = 300;
/// Seconds between a word that an address is given back and its end.
const SECOND_THOUGHTS: i64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    const A: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const B: Mac = Mac([2, 0, 0, 0, 0, 2]);

    fn address(host: u32) -> IpAddr {
        std::net::Ipv4Addr::from(0x0a00_0000 + host).into()
    }

    fn uses(mac: Mac, host: u32, until: i64) -> Heard {
        Heard { mac, news: News::Uses { address: address(host), until } }
    }

    fn releases(mac: Mac, host: u32) -> Heard {
        Heard { mac, news: News::Releases(address(host)) }
    }

    #[test]
    fn an_address_keeps_its_claimant() {
        for (held, asked, goes) in [
            (Basis::Asked, Basis::Asked, false),
            (Basis::Asked, Basis::Spoken, true),
            (Basis::Spoken, Basis::Spoken, false),
            (Basis::Spoken, Basis::Asked, false),
            (Basis::Leased, Basis::Spoken, false),
            (Basis::Spoken, Basis::Leased, true),
            (Basis::Leased, Basis::Leased, true),
        ] {
            let mut claims = Claims::default();
            assert_eq!(claims.claim(A, address(1), held, 100, 0), [uses(A, 1, 100)]);
            let expected = if goes { vec![releases(A, 1), uses(B, 1, 200)] } else { vec![] };
            assert_eq!(claims.claim(B, address(1), asked, 200, 50), expected, "{held:?} {asked:?}");
        }
        let mut claims = Claims::default();
        claims.claim(A, address(1), Basis::Spoken, 100, 0);
        let later = claims.claim(B, address(1), Basis::Asked, 200, 100);
        assert_eq!(later, [releases(A, 1), uses(B, 1, 200)], "what has ended is for the next");
    }

    #[test]
    fn is_told_again_when_its_end_has_moved_far_enough() {
        let mut claims = Claims::default();
        claims.claim(A, address(1), Basis::Spoken, 1000, 0);
        assert_eq!(claims.claim(A, address(1), Basis::Spoken, 1000 + RENEWAL - 1, 0), []);
        assert_eq!(
            claims.claim(A, address(1), Basis::Spoken, 1000 + RENEWAL, 0),
            [uses(A, 1, 1000 + RENEWAL)]
        );
        assert_eq!(claims.claim(A, address(1), Basis::Asked, 5, 0), [], "a weaker word shortens nothing");
        assert_eq!(
            claims.claim(A, address(1), Basis::Leased, 500, 0),
            [uses(A, 1, 500)],
            "the server's does"
        );
    }

    #[test]
    fn what_a_server_gave_is_free_when_it_ends_or_was_given_back_and_is_not_heard_again() {
        let mut claims = Claims::default();
        claims.claim(A, address(1), Basis::Leased, 1000, 0);
        claims.claim(A, address(2), Basis::Spoken, 1000, 0);
        assert_eq!(claims.tick(999), []);
        assert_eq!(claims.tick(1000), [releases(A, 1)]);
        assert_eq!((claims.by_address.len(), claims.of_mac.len()), (0, 0));

        claims.claim(A, address(1), Basis::Leased, 5000, 2000);
        claims.give_back(B, address(1), 2000);
        assert_eq!(claims.tick(2000 + SECOND_THOUGHTS), [], "nobody gives back what another has");
        claims.give_back(A, address(1), 2000);
        claims.claim(A, address(1), Basis::Spoken, 4000, 2010);
        assert_eq!(claims.tick(2000 + SECOND_THOUGHTS), [], "it is still there");
        claims.give_back(A, address(1), 2100);
        assert_eq!(claims.tick(2100 + SECOND_THOUGHTS), [releases(A, 1)]);
    }

    #[test]
    fn a_flood_of_claims_takes_nothing_from_those_who_are_there() {
        let mut claims = Claims::default();
        for host in 0..=Claims::OF_ONE as u32 {
            assert_eq!(claims.claim(A, address(host), Basis::Spoken, 100, 0).len(), usize::from(host < 16));
        }
        for host in 100u32.. {
            let [_, _, c, d] = host.to_be_bytes();
            if claims.claim(Mac([4, 0, 0, 0, c, d]), address(host), Basis::Spoken, 100, 0).is_empty() {
                break;
            }
        }
        assert_eq!(claims.by_address.len(), Claims::CAPACITY);
        assert_eq!(claims.claim(A, address(0), Basis::Spoken, 1000, 50), [uses(A, 0, 1000)]);
        claims.tick(100);
        assert_eq!(claims.by_address.len(), 1);
    }
}
