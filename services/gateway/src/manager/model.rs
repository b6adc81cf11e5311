//! The files of one MUD URL: which one is in force, which one waits for a person, and when to ask for the next. Owns no
//! socket and no clock.

use api::Reason;
use crypto::Digest;
use mud::{
    Lineage, MIN_REFRESH_SECONDS, MudUrl, Offer, PolicyDiff, Reservation, Retrieval, SignerChange,
    Succession, diff,
};
use x509::Name;

use super::fetch::{Fault, Fetched};
use super::file::{Examined, File, Source, Terms, With as _, digest, examine, why};
use super::settings::ApprovalRule;

/// A file that was accepted, and what its successors are held against.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The file.
    pub file: File,
    /// Whose word it is.
    pub source: Source,
    /// What is remembered of it and those before.
    pub lineage: Lineage<Name>,
    /// When it was accepted, in seconds since 1970.
    pub accepted_at: i64,
}

/// A file that waits for a person.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The file as received.
    pub bytes: Vec<u8>,
    /// Its signature as received.
    pub signature: Option<Vec<u8>>,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Whose word it is.
    pub source: Source,
    /// What it says; nothing before an administrator approves where no signature vouches for it.
    pub file: Option<Box<File>>,
    /// Why it waits, at least one reason.
    pub reasons: Vec<Reason>,
}

/// The files of one URL.
#[derive(Clone, Debug)]
pub struct Model {
    /// The URL that devices have.
    pub url: MudUrl,
    /// The file that stands by itself.
    pub(super) base: Option<Standing>,
    /// The file that stands as long as an approval does, and the digest of the approved one it goes back to.
    pub(super) approved: Option<(Standing, Digest)>,
    /// The file that waits.
    pub(super) waiting: Option<Waiting>,
    /// The file that was refused last, and why.
    pub(super) refused: Option<(Digest, Reason)>,
    /// How it was asked for.
    pub(super) asked: Asked,
}

/// How a file was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Tag of the file that came last.
    pub etag: Option<String>,
    /// Which source it came from.
    pub source: Option<Source>,
    /// When it came last.
    pub retrieval: Option<Retrieval>,
    /// When it was last tried, in seconds since 1970.
    pub tried_at: i64,
    /// When to ask again.
    pub next: i64,
    /// Failures since it came last.
    pub failures: u32,
    /// What went wrong last.
    pub fault: Option<Reason>,
    /// Somebody is at it.
    pub in_flight: bool,
}

impl Model {
    /// Longest wait after a failure, in seconds.
    pub const LONGEST_RETRY: i64 = 6 * 3600;
    /// First wait after a failure, in seconds.
    pub const FIRST_RETRY: i64 = 60;
    /// Shortest time between two checks that somebody asks for, in seconds.
    pub const CHECK_PAUSE: i64 = 5;

    /// A URL of which nothing is known yet.
    pub fn new(url: MudUrl, now: i64) -> Self {
        let asked = Asked { next: now, ..Asked::default() };
        Self { url, base: None, approved: None, waiting: None, refused: None, asked }
    }

    /// The file in force. `approves` says whether an approval of a file of this URL is in force.
    pub fn in_force(&self, approves: &dyn Fn(&Digest) -> bool, now: i64) -> Option<&Standing> {
        let approved = self
            .approved
            .as_ref()
            .filter(|(standing, under)| approves(under) || approves(&standing.file.digest));
        let standing = approved.map(|(standing, _)| standing).or(self.base.as_ref())?;
        standing.file.until.is_none_or(|until| now < until).then_some(standing)
    }

    /// A file by its digest, whether or not it is in force.
    pub fn file(&self, digest: &Digest) -> Option<&File> {
        let standing = self.base.iter().chain(self.approved.as_ref().map(|(standing, _)| standing));
        standing.map(|standing| &standing.file).find(|file| file.digest == *digest)
    }

    /// Takes a file that was brought. Whatever becomes of it, the one in force stays until another is accepted. Says whether
    /// anything is to be remembered.
    pub fn take_in(
        &mut self,
        fetched: Fetched,
        terms: &Terms<'_>,
        rule: ApprovalRule,
        approves: &dyn Fn(&Digest) -> bool,
    ) -> bool {
        let now = terms.now;
        let known = self.base.as_ref().is_some_and(|base| {
            base.source == Source::Operator
                && base.file.bytes == fetched.file
                && base.file.signature == fetched.signature
        });
        if known && *terms.source == Source::Operator {
            // It is looked at every minute.
            return false;
        }
        self.asked.retrieval = Some(Retrieval { at: now, max_age: fetched.max_age });
        self.asked.etag = fetched.etag;
        self.asked.source = Some(terms.source.clone());
        let digest = digest(&fetched.file);
        let same = self.waiting.as_ref().is_some_and(|waiting| {
            waiting.digest == digest
                && waiting.signature == fetched.signature
                && waiting.source == *terms.source
        });
        if !same {
            self.waiting = None;
            self.refused = None;
            match examine(&fetched.file, fetched.signature.as_deref(), terms, approves(&digest)) {
                Examined::Refused(reason) => self.refused = Some((digest, reason)),
                Examined::Held(reason) => {
                    self.waiting = Some(Waiting {
                        bytes: fetched.file,
                        signature: fetched.signature,
                        digest,
                        source: terms.source.clone(),
                        file: None,
                        reasons: vec![reason],
                    });
                }
                Examined::Read(file) => self.consider(*file, terms, rule, approves),
            }
        }
        self.approve(terms, approves);
        true
    }

    /// The file did not change since it came last.
    pub fn unchanged(&mut self, max_age: Option<u32>, now: i64) {
        self.asked.retrieval = Some(Retrieval { at: now, max_age });
    }

    /// When to ask again after it came: as the file says, and a little later, so that not all models are asked for at once.
    pub fn came(&mut self, jitter: u32, now: i64) {
        self.asked.failures = 0;
        self.asked.fault = None;
        self.asked.tried_at = now;
        let least = now.saturating_add(MIN_REFRESH_SECONDS.into());
        let file = self.newest();
        let next = file.zip(self.asked.retrieval).map(|(file, retrieval)| file.content.next_check(retrieval));
        self.asked.next = next.unwrap_or(least).saturating_add(jitter.into());
        // A file on the disk of the gateway costs nothing to look at.
        if self.asked.source == Some(Source::Operator) {
            self.asked.next = now.saturating_add(Self::FIRST_RETRY);
        }
    }

    /// It did not come. What is in force stays.
    pub fn failed(&mut self, fault: &Fault, now: i64) {
        let wait = Self::FIRST_RETRY.saturating_mul(1 << self.asked.failures.min(16));
        self.asked.failures = self.asked.failures.saturating_add(1);
        self.asked.tried_at = now;
        self.asked.next = now.saturating_add(wait.min(Self::LONGEST_RETRY));
        self.asked.fault = Some(why(fault.kind.code()).with("detail", &fault.detail));
    }

    /// Somebody wants it checked: sooner, never later, and not again and again. Says whether that changed anything.
    pub fn check(&mut self, asked_at: i64, now: i64) -> bool {
        let old = self.asked.tried_at <= asked_at;
        let next = now.max(self.asked.tried_at.saturating_add(Self::CHECK_PAUSE));
        let sooner = old && next < self.asked.next;
        if sooner {
            self.asked.next = next;
        }
        sooner
    }

    /// Lets the waiting file stand when an approval of it is in force. Says whether anything changed.
    pub fn approve(&mut self, terms: &Terms<'_>, approves: &dyn Fn(&Digest) -> bool) -> bool {
        let Some(waiting) = self.waiting.take_if(|waiting| approves(&waiting.digest)) else { return false };
        let terms = Terms { source: &waiting.source, ..*terms };
        let file = match waiting.file {
            Some(file) => file,
            None => match examine(&waiting.bytes, waiting.signature.as_deref(), &terms, true) {
                Examined::Read(file) => file,
                Examined::Held(reason) | Examined::Refused(reason) => {
                    self.refused = Some((waiting.digest, reason));
                    return true;
                }
            },
        };
        let before = self.in_force(approves, terms.now).map(|standing| standing.lineage.clone());
        let under = file.digest;
        self.approved = Some((self.standing(*file, before, &terms), under));
        true
    }

    /// The file in force beside the one that waits.
    pub fn change(&self, approves: &dyn Fn(&Digest) -> bool, now: i64) -> Option<PolicyDiff> {
        let waiting = self.waiting.as_ref()?.file.as_ref()?;
        let nothing = mud::Policy::default();
        let before = self.in_force(approves, now).map_or(&nothing, |standing| &standing.file.policy);
        Some(diff(before, &waiting.policy))
    }

    /// Whether a file waits for a person.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some() || self.approved.is_some()
    }

    /// Whether the last file was refused.
    pub fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// Whether anything is to be remembered of it.
    pub fn is_worth_keeping(&self) -> bool {
        self.base.is_some() || self.approved.is_some() || self.waiting.is_some()
    }

    fn newest(&self) -> Option<&File> {
        let waiting = self.waiting.as_ref().and_then(|waiting| waiting.file.as_deref());
        let approved = self.approved.as_ref().map(|(standing, _)| &standing.file);
        waiting.or(approved).or(self.base.as_ref().map(|standing| &standing.file))
    }

    /// Holds a file against those that stand.
    fn consider(
        &mut self,
        file: File,
        terms: &Terms<'_>,
        rule: ApprovalRule,
        approves: &dyn Fn(&Digest) -> bool,
    ) {
        if *terms.source == Source::Operator {
            self.base = Some(self.standing(file, None, terms));
            self.approved = None;
            return;
        }
        let mut reasons = file.reservations.clone();
        if rule == ApprovalRule::Every {
            reasons.push(why(NEEDS_APPROVAL).with("rule", "every file"));
        }
        let Some(current) = self.in_force(approves, terms.now) else {
            if reasons.is_empty() && self.base.is_none() {
                self.base = Some(self.standing(file, None, terms));
            } else {
                self.wait(file, reasons, terms);
            }
            return;
        };
        let by_base = self.base.as_ref().map(|base| judge(base, &file, terms, &reasons));
        match by_base {
            // One that would be a step back from the approved one is no way round it.
            Some(Succession::Apply)
                if !matches!(judge(current, &file, terms, &reasons), Succession::Refuse(_)) =>
            {
                let before = self.base.as_ref().map(|base| base.lineage.clone());
                self.base = Some(self.standing(file, before, terms));
                self.approved = None;
                return;
            }
            Some(Succession::Unchanged) => return,
            _ => {}
        }
        match judge(current, &file, terms, &reasons) {
            Succession::Unchanged => {}
            Succession::Apply => {
                let before = Some(current.lineage.clone());
                // It permits no more than what was approved, and stands as long as that does.
                if let Some(under) = self.approved.as_ref().map(|(_, under)| *under) {
                    self.approved = Some((self.standing(file, before, terms), under));
                }
            }
            Succession::Hold(reservations) => {
                // Those of the file itself say more than that there are some.
                let others = reservations.into_iter().filter(|one| *one != Reservation::NeedsApproval);
                let mut all: Vec<Reason> = others.map(reserved).collect();
                all.append(&mut reasons);
                self.wait(file, all, terms);
            }
            Succession::Refuse(reservation) => self.refused = Some((file.digest, reserved(reservation))),
        }
    }

    fn wait(&mut self, file: File, reasons: Vec<Reason>, terms: &Terms<'_>) {
        self.waiting = Some(Waiting {
            bytes: file.bytes.clone(),
            signature: file.signature.clone(),
            digest: file.digest,
            source: terms.source.clone(),
            reasons,
            file: Some(Box::new(file)),
        });
    }

    fn standing(&self, file: File, before: Option<Lineage<Name>>, terms: &Terms<'_>) -> Standing {
        let signer = file.signer.as_ref();
        let lineage = match before {
            None => Lineage::begin(self.url.clone(), &file.content, signer),
            Some(mut lineage) => {
                let equal = PolicyDiff::default();
                lineage.accept(&offer(&self.url, &file, false, &equal, false));
                lineage
            }
        };
        Standing { file, source: terms.source.clone(), lineage, accepted_at: terms.now }
    }
}

/// Whether a file may follow one that stands.
fn judge(current: &Standing, file: &File, terms: &Terms<'_>, reasons: &[Reason]) -> Succession {
    let change = diff(&current.file.policy, &file.policy);
    let same_bytes = current.file.digest == file.digest;
    let pin = current.lineage.signer.as_ref();
    let same_signer =
        pin.zip(file.signer.as_ref()).is_some_and(|(pin, signer)| pin.compare(signer).is_equivalent());
    // The signer may say where the next file will be.
    let asks = reasons.iter().any(|reason| reason.code != "mud-url-moved" || !same_signer);
    // The URL of the device is the one that the lineage began with, wherever its file says that it is now.
    let canonical = current.lineage.canonical.clone();
    let url = if current.lineage.used.contains(terms.url) { &canonical } else { terms.url };
    let judged = current.lineage.judge(&offer(url, file, same_bytes, &change, asks));
    match judged {
        // In a laboratory the standing approval stands for the signature.
        Succession::Hold(mut reservations) if file.until.is_some() => {
            reservations.retain(|one| *one != Reservation::Unsigned);
            if reservations.is_empty() { Succession::Apply } else { Succession::Hold(reservations) }
        }
        judged => judged,
    }
}

fn offer<'o>(
    url: &'o MudUrl,
    file: &'o File,
    same_bytes: bool,
    diff: &'o PolicyDiff,
    needs_approval: bool,
) -> Offer<'o, Name> {
    Offer { url, file: &file.content, signer: file.signer.as_ref(), same_bytes, diff, needs_approval }
}

/// Whether a device may go over from the file that it has to that of another URL.
pub(super) fn may_follow(current: &Standing, next: &Standing, url: &MudUrl) -> Succession {
    let change = diff(&current.file.policy, &next.file.policy);
    let same_bytes = current.file.digest == next.file.digest;
    current.lineage.judge(&offer(url, &next.file, same_bytes, &change, false))
}

/// A reservation as a reason.
pub(super) fn reserved(reservation: Reservation) -> Reason {
    let reason = why(reservation.code());
    match reservation {
        Reservation::Signer(change) => reason.with(
            "change",
            match change {
                SignerChange::OtherSubject => "other subject",
                SignerChange::OtherAuthority => "other authority",
                SignerChange::AuthorityVouched | SignerChange::Same => "same",
            },
        ),
        _ => reason,
    }
}

/// The file asks for much, or the site wants to see all.
const NEEDS_APPROVAL: &str = "mud-needs-approval";
