//! Whether a file, and the URL it comes from, may take the place of those in force (acceptable-urls draft; RFC 8520,
//! sections 1.8, 3.4 and 16). Whatever the answer, the file in force stays until another is accepted.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::signature::{Signer, SignerChange, SignerPin};
use crate::diff::PolicyDiff;
use crate::model::MudFile;
use crate::url::MudUrl;

/// What is remembered of the files of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage<N> {
    /// The `mud-url` inside of the file in force, which new URLs are held against.
    pub canonical: MudUrl,
    /// Every URL of the model up to now.
    pub used: BTreeSet<MudUrl>,
    /// `last-update` of the file in force, in seconds since 1970.
    pub last_update: i64,
    /// Who signed the file in force; nobody when a person approved it without a signature.
    pub signer: Option<SignerPin<N>>,
}

/// A file that was fetched and verified, and what it would change.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'o, N> {
    /// The URL the device gave, before redirections.
    pub url: &'o MudUrl,
    /// The file.
    pub file: &'o MudFile,
    /// Who signed it.
    pub signer: Option<&'o Signer<N>>,
    /// Its bytes are those of the file in force.
    pub same_bytes: bool,
    /// What it permits beyond the policy in force.
    pub diff: &'o PolicyDiff,
    /// It waits for a person by itself: by a finding, or because it is broad.
    pub needs_approval: bool,
}

/// How a URL compares with those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlChange {
    /// It is the canonical one.
    Same,
    /// It differs in its last path segment only.
    Sibling,
    /// It was the URL of an earlier file.
    Earlier,
    /// Another place of the same authority.
    OtherPlace,
    /// Another authority.
    OtherAuthority,
}

/// What to do with an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Succession {
    /// It is the file in force.
    Unchanged,
    /// It may take its place by itself.
    Apply,
    /// A person has to look at it, for these reasons, at least one.
    Hold(Vec<Reservation>),
    /// It is a step back in time, and not taken.
    Refuse(Reservation),
}

/// Why an offer does not take effect by itself.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// `last-update` went back, at the same URL.
    LastUpdateWentBack,
    /// Other bytes with the same `last-update`.
    LastUpdateStood,
    /// The device went back to an earlier URL: somebody may want an old file back.
    EarlierUrl,
    /// The URL is another place of the same authority.
    OtherPlace,
    /// The URL has another authority.
    OtherAuthority,
    /// The file is not signed.
    Unsigned,
    /// The file in force was not signed, and this one is.
    FirstSigner,
    /// Another signer, or one below another authority.
    Signer(SignerChange),
    /// It permits more.
    Wider,
    /// It needs a person's approval whatever was before.
    NeedsApproval,
}

impl Reservation {
    /// Stable name.
    pub fn code(self) -> &'static str {
        match self {
            Self::LastUpdateWentBack => "mud-last-update-back",
            Self::LastUpdateStood => "mud-last-update-stood",
            Self::EarlierUrl => "mud-url-earlier",
            Self::OtherPlace => "mud-url-place",
            Self::OtherAuthority => "mud-url-authority",
            Self::Unsigned => "mud-unsigned",
            Self::FirstSigner => "mud-signer-first",
            Self::Signer(_) => "mud-signer-changed",
            Self::Wider => "mud-wider",
            Self::NeedsApproval => "mud-needs-approval",
        }
    }
}

impl<N: PartialEq + Clone> Lineage<N> {
    /// Begins with the first file of a model, which a person or its signature vouched for.
    pub fn begin(url: MudUrl, file: &MudFile, signer: Option<&Signer<N>>) -> Self {
        Self {
            canonical: file.mud_url.clone(),
            used: BTreeSet::from([url, file.mud_url.clone()]),
            last_update: file.last_update.unix_seconds(),
            signer: signer.cloned().and_then(SignerPin::new),
        }
    }

    /// Compares a URL with those before.
    pub fn url_change(&self, url: &MudUrl) -> UrlChange {
        if *url == self.canonical {
            UrlChange::Same
        } else if self.used.contains(url) {
            UrlChange::Earlier
        } else if self.canonical.same_folder(url) {
            UrlChange::Sibling
        } else if self.canonical.authority() == url.authority() {
            UrlChange::OtherPlace
        } else {
            UrlChange::OtherAuthority
        }
    }

    /// Decides about an offer. Only what is not wider, and comes from the same signer by an acceptable URL, takes effect
    /// by itself.
    pub fn judge(&self, offer: &Offer<'_, N>) -> Succession {
        let change = self.url_change(offer.url);
        if offer.same_bytes && change == UrlChange::Same {
            return Succession::Unchanged;
        }
        let updated = offer.file.last_update.unix_seconds();
        if change == UrlChange::Same && updated < self.last_update {
            return Succession::Refuse(Reservation::LastUpdateWentBack);
        }
        let mut reservations = Vec::new();
        match change {
            UrlChange::Same | UrlChange::Sibling => {}
            UrlChange::Earlier => reservations.push(Reservation::EarlierUrl),
            UrlChange::OtherPlace => reservations.push(Reservation::OtherPlace),
            UrlChange::OtherAuthority => reservations.push(Reservation::OtherAuthority),
        }
        if !offer.same_bytes && updated == self.last_update {
            reservations.push(Reservation::LastUpdateStood);
        } else if updated < self.last_update {
            reservations.push(Reservation::LastUpdateWentBack);
        }
        match (&self.signer, offer.signer) {
            (_, None) => reservations.push(Reservation::Unsigned),
            (None, Some(_)) => reservations.push(Reservation::FirstSigner),
            (Some(pin), Some(signer)) => {
                let change = pin.compare(signer);
                if !change.is_equivalent() {
                    reservations.push(Reservation::Signer(change));
                }
            }
        }
        if offer.diff.is_wider() {
            reservations.push(Reservation::Wider);
        }
        if offer.needs_approval {
            reservations.push(Reservation::NeedsApproval);
        }
        if reservations.is_empty() { Succession::Apply } else { Succession::Hold(reservations) }
    }

    /// Remembers an offer that took effect. From now on its own `mud-url` is the canonical one, wherever that leads: so
    /// a manufacturer moves.
    pub fn accept(&mut self, offer: &Offer<'_, N>) {
        self.used.insert(offer.url.clone());
        self.canonical = offer.file.mud_url.clone();
        self.used.insert(self.canonical.clone());
        self.last_update = offer.file.last_update.unix_seconds();
        self.signer = offer.signer.cloned().and_then(SignerPin::new);
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;
    use crate::compile::compile;
    use crate::decode::{Context, parse};
    use crate::diff::diff;
    use crate::policy::Policy;

    const V2: &str = "https://maker.example/cam/v2.json";
    const V3: &str = "https://maker.example/cam/v3.json";

    fn url(text: &str) -> MudUrl {
        MudUrl::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    fn file(url: &str, updated: &str) -> MudFile {
        let json = format!(
            r#"{{"ietf-mud:mud":{{"mud-version":1,"mud-url":"{url}","last-update":"{updated}","is-supported":true}}}}"#
        );
        parse(json.as_bytes(), &Context::default()).unwrap_or_else(|e| panic!("{e}")).file
    }

    fn signer(subject: &'static str, authorities: &[u8]) -> Signer<&'static str> {
        Signer { subject, authorities: authorities.iter().map(|id| vec![*id]).collect() }
    }

    fn maker() -> Signer<&'static str> {
        signer("CN=Maker", &[1])
    }

    fn lineage() -> Lineage<&'static str> {
        Lineage::begin(url(V2), &file(V2, "2026-03-01T10:00:00Z"), Some(&maker()))
    }

    #[test]
    fn a_url_may_change_in_its_last_segment() {
        let mut lineage = lineage();
        lineage.used.insert(url("https://maker.example/cam/v1.json"));
        for (text, change) in [
            (V2, UrlChange::Same),
            ("HTTPS://Maker.Example:443/cam/v2.json", UrlChange::Same),
            (V3, UrlChange::Sibling),
            ("https://maker.example/cam/", UrlChange::Sibling),
            ("https://maker.example/cam/v1.json", UrlChange::Earlier),
            ("https://maker.example/toaster/v2.json", UrlChange::OtherPlace),
            ("https://maker.example/cam/v3/v2.json", UrlChange::OtherPlace),
            ("https://maker.example/cam/v3.json?x", UrlChange::OtherPlace),
            // A last segment that leads out of the folder.
            ("https://maker.example/cam/..", UrlChange::OtherPlace),
            ("https://maker.example/cam/%2E%2e%2Ftoaster.json", UrlChange::OtherPlace),
            ("https://maker.example:8443/cam/v3.json", UrlChange::OtherAuthority),
            ("https://other.example/cam/v3.json", UrlChange::OtherAuthority),
            ("https://maker.example.evil.example/cam/v3.json", UrlChange::OtherAuthority),
        ] {
            assert_eq!(lineage.url_change(&url(text)), change, "{text}");
        }
    }

    #[test]
    fn only_what_the_same_signer_narrows_takes_effect_by_itself() {
        let welcome = include_bytes!("../../tests/data/welcome-cam.json");
        let policy = compile(&parse(welcome, &Context::default()).expect("a file").file).policy;
        let none = Policy::default();
        let (equal, wider, narrower) = (PolicyDiff::default(), diff(&none, &policy), diff(&policy, &none));
        assert!(wider.is_wider() && narrower.is_narrower());
        let (earlier, same, later) = ("2026-02-28T00:00:00Z", "2026-03-01T10:00:00Z", "2026-03-02T00:00:00Z");
        let moved = signer("CN=Maker", &[2, 1]);
        let (rogue, toaster) = (signer("CN=Maker", &[9]), signer("CN=Toaster", &[1]));
        let maker = maker();
        let by = Some(&maker);
        let hold = |reservations: &[Reservation]| Succession::Hold(reservations.to_vec());
        for (at, updated, signer, diff, expected) in [
            (V2, later, by, &equal, Succession::Apply),
            (V2, later, by, &narrower, Succession::Apply),
            (V3, later, by, &narrower, Succession::Apply),
            (V2, later, Some(&moved), &equal, Succession::Apply),
            (V2, later, by, &wider, hold(&[Reservation::Wider])),
            (V2, later, None, &equal, hold(&[Reservation::Unsigned])),
            (V2, later, Some(&rogue), &equal, hold(&[Reservation::Signer(SignerChange::OtherAuthority)])),
            (V2, later, Some(&toaster), &equal, hold(&[Reservation::Signer(SignerChange::OtherSubject)])),
            (V3, later, Some(&rogue), &equal, hold(&[Reservation::Signer(SignerChange::OtherAuthority)])),
            (V2, same, by, &equal, hold(&[Reservation::LastUpdateStood])),
            (V2, earlier, by, &narrower, Succession::Refuse(Reservation::LastUpdateWentBack)),
            (V3, earlier, by, &narrower, hold(&[Reservation::LastUpdateWentBack])),
            (
                "https://other.example/cam.json",
                later,
                Some(&toaster),
                &wider,
                hold(&[
                    Reservation::OtherAuthority,
                    Reservation::Signer(SignerChange::OtherSubject),
                    Reservation::Wider,
                ]),
            ),
            ("https://maker.example/x", later, by, &equal, hold(&[Reservation::OtherPlace])),
        ] {
            let (at, file) = (url(at), file(at, updated));
            let offer =
                Offer { url: &at, file: &file, signer, same_bytes: false, diff, needs_approval: false };
            assert_eq!(lineage().judge(&offer), expected, "{at} {updated}");
            let broad = Offer { needs_approval: true, ..offer };
            assert_ne!(lineage().judge(&broad), Succession::Apply, "{at} {updated}");
        }
    }

    #[test]
    fn the_url_in_an_accepted_file_is_the_next_one_to_compare_with() {
        let (equal, maker) = (PolicyDiff::default(), maker());
        let offer = |url, file, same_bytes| Offer {
            url,
            file,
            signer: Some(&maker),
            same_bytes,
            diff: &equal,
            needs_approval: false,
        };
        let mut lineage = lineage();
        let (v2, v3) = (url(V2), url(V3));
        let first = file(V2, "2026-03-01T10:00:00Z");
        assert_eq!(lineage.judge(&offer(&v2, &first, true)), Succession::Unchanged);

        // The next file says that its house is now elsewhere.
        let moving = file("https://new.example/cam/v3.json", "2026-03-02T00:00:00Z");
        assert_eq!(lineage.judge(&offer(&v3, &moving, false)), Succession::Apply);
        lineage.accept(&offer(&v3, &moving, false));
        let next = url("https://new.example/cam/v4.json");
        let newest = file(next.as_str(), "2026-03-03T00:00:00Z");
        assert_eq!(lineage.judge(&offer(&next, &newest, false)), Succession::Apply);
        // Whoever goes back to where it was may want the old file back.
        for back in [&v2, &v3] {
            let expected = Succession::Hold(vec![Reservation::EarlierUrl]);
            assert_eq!(lineage.judge(&offer(back, &newest, false)), expected, "{back}");
        }
        lineage.signer = None;
        let expected = Succession::Hold(vec![Reservation::FirstSigner]);
        assert_eq!(lineage.judge(&offer(&next, &newest, false)), expected);
    }
}
