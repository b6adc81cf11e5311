//! From a certificate to an anchor (RFC 5280, section 6.1, without policies and name constraints).

use alloc::vec::Vec;

use crate::{Certificate, Distrust, Error, KeyUsage};

/// How many certificates a chain may have, its end and its anchor counted.
pub const MAX_CHAIN_LEN: usize = 8;

/// How many signatures of certificates are checked in search of one chain.
pub const MAX_SIGNATURE_CHECKS: usize = 32;

/// A certificate and the way from it to an anchor: each is signed by the next, and valid at the time asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedChain<'c> {
    leaf: &'c Certificate,
    /// From the leaf's issuer to the anchor; empty when the leaf itself is the anchor.
    issuers: Vec<&'c Certificate>,
}

/// Finds a chain from `leaf` over any of `intermediates`, in whatever order they come, to one of `anchors`.
///
/// An anchor is believed because the operator put it there: its own signature does not matter, but its validity and
/// its constraints do. A leaf that is an anchor itself needs no issuer. What the leaf's key may be used for is the
/// caller's to check.
pub fn verify_chain<'c>(
    leaf: &'c Certificate,
    intermediates: &'c [Certificate],
    anchors: &'c [Certificate],
    now: i64,
) -> Result<VerifiedChain<'c>, Error> {
    leaf.check_validity(now)?;
    leaf.check_processable()?;
    if anchors.contains(leaf) {
        return Ok(VerifiedChain { leaf, issuers: Vec::new() });
    }
    let mut search =
        Search { leaf, intermediates, anchors, now, issuers: Vec::new(), checks: 0, failure: None };
    match search.extend() {
        Ok(true) => Ok(VerifiedChain { leaf, issuers: search.issuers }),
        Ok(false) => Err(search.failure.unwrap_or(Error::Untrusted(Distrust::UnknownIssuer))),
        Err(exhausted) => Err(exhausted),
    }
}

impl<'c> VerifiedChain<'c> {
    /// The certificate at the end, which the chain was asked for.
    pub fn leaf(&self) -> &'c Certificate {
        self.leaf
    }

    /// The operator's certificate at the beginning.
    pub fn anchor(&self) -> &'c Certificate {
        self.issuers.last().unwrap_or(&self.leaf)
    }

    /// The certificate that issued the leaf; the leaf itself when it is the anchor.
    pub fn issuer(&self) -> &'c Certificate {
        self.issuers.first().unwrap_or(&self.leaf)
    }

    /// All certificates, from the leaf to the anchor.
    pub fn certificates(&self) -> impl Iterator<Item = &'c Certificate> + '_ {
        core::iter::once(self.leaf).chain(self.issuers.iter().copied())
    }
}

/// Depth first, with a limit on work as well as depth: the intermediates are the adversary's to choose.
struct Search<'c> {
    leaf: &'c Certificate,
    intermediates: &'c [Certificate],
    anchors: &'c [Certificate],
    now: i64,
    issuers: Vec<&'c Certificate>,
    checks: usize,
    /// Why the first issuer that had the right name was refused.
    failure: Option<Error>,
}

impl<'c> Search<'c> {
    /// Whether the chain so far can be led to an anchor; an error when the work is no longer worth it.
    fn extend(&mut self) -> Result<bool, Error> {
        let child = self.issuers.last().copied().unwrap_or(self.leaf);
        let candidates = self.anchors.iter().map(|anchor| (anchor, true));
        let candidates = candidates.chain(self.intermediates.iter().map(|other| (other, false)));
        for (issuer, is_anchor) in candidates {
            if !may_have_issued(issuer, child) || self.contains(issuer) {
                continue;
            }
            if let Err(error) = self.check(issuer, child) {
                if error == Error::Untrusted(Distrust::TooManyCandidates) {
                    return Err(error);
                }
                self.failure.get_or_insert(error);
                continue;
            }
            self.issuers.push(issuer);
            if is_anchor || self.extend()? {
                return Ok(true);
            }
            self.issuers.pop();
        }
        Ok(false)
    }

    /// The same name with the same key brings a chain no further (RFC 4158, section 5.2).
    fn contains(&self, issuer: &Certificate) -> bool {
        core::iter::once(self.leaf).chain(self.issuers.iter().copied()).any(|member| {
            member.subject() == issuer.subject() && member.public_key().ok() == issuer.public_key().ok()
        })
    }

    /// What RFC 5280, section 6.1.4, asks of an issuer; the signature comes last, being dear.
    fn check(&mut self, issuer: &Certificate, child: &Certificate) -> Result<(), Error> {
        issuer.check_validity(self.now)?;
        issuer.check_processable()?;
        let constraints = issuer.basic_constraints();
        if !constraints.ca {
            return Err(Error::Untrusted(Distrust::NotAuthority));
        }
        if issuer.key_usage().is_some_and(|usage| !usage.contains(KeyUsage::KEY_CERT_SIGN)) {
            return Err(Error::Untrusted(Distrust::NoCertSign));
        }
        let below = self.issuers.iter().filter(|authority| !authority.is_self_issued()).count();
        let too_long = constraints.path_len.is_some_and(|allowed| below > usize::from(allowed));
        // The leaf and this issuer are not among the issuers yet.
        if too_long || self.issuers.len() + 2 > MAX_CHAIN_LEN {
            return Err(Error::Untrusted(Distrust::ChainTooLong));
        }
        let key = issuer.public_key()?;
        self.checks += 1;
        if self.checks > MAX_SIGNATURE_CHECKS {
            return Err(Error::Untrusted(Distrust::TooManyCandidates));
        }
        child.verify_signature(key)
    }
}

/// Names chain, and so do key identifiers where both sides have one (RFC 5280, section 4.2.1.1).
fn may_have_issued(issuer: &Certificate, child: &Certificate) -> bool {
    let keys = match (issuer.subject_key_id(), child.authority_key_id()) {
        (Some(subject), Some(authority)) => subject == authority,
        _ => true,
    };
    issuer.subject() == child.issuer() && keys
}
