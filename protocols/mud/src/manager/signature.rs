//! Whether a file may be read at all, by its signature (RFC 8520, section 13.2), and whether the signer is the one that
//! was seen before (section 16; acceptable-urls draft). Signatures are verified elsewhere; this decides what follows.

use alloc::vec::Vec;

use crate::url::{MudUrl, is_plain_segment};

/// Who signed a file, as the verification of its signature found out. `N` is how names of certificates are compared
/// (RFC 5280, section 7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer<N> {
    /// Subject of the signer's certificate.
    pub subject: N,
    /// Key identifiers of the authorities above it, from the one that issued the certificate to the anchor.
    pub authorities: Vec<Vec<u8>>,
}

/// How the signature over a file fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature<N> {
    /// There is none: no `mud-signature`, or nothing at the place it names.
    Missing,
    /// There is one, and it is not to be believed.
    Refused,
    /// It is good, and chains to an anchor of the operator.
    Verified(Signer<N>),
}

/// What the site does with a file whose signature does not vouch for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiteMode {
    /// It is not processed.
    Refuse,
    /// It waits for an administrator, who may approve it.
    Hold,
    /// A laboratory: what a standing approval covers is processed, all else waits.
    Laboratory(StandingApproval),
}

/// An administrator's approval of files without good signatures, on record: for one place and a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingApproval {
    /// Files whose URL is this one, or lies in this folder where it ends with a slash.
    pub below: MudUrl,
    /// End of the approval, in seconds since 1970.
    pub expires: i64,
}

/// Why a signature does not vouch for a file.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The file is not signed.
    Unsigned,
    /// The signature is not to be believed.
    NotVerified,
    /// The signer is not the one that the device's certificate names (`id-pe-mudsigner`).
    OtherSigner,
}

impl Doubt {
    /// Stable name.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unsigned => "mud-unsigned",
            Self::NotVerified => "mud-signature",
            Self::OtherSigner => "mud-signer-subject",
        }
    }
}

/// What happens to a file before anything else of it is processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Its signature vouches for it.
    Process,
    /// A standing approval does.
    ProcessUnderApproval(Doubt),
    /// Processing ceases until an administrator approves.
    Hold(Doubt),
    /// Processing ceases.
    Refuse(Doubt),
}

/// Decides whether the file from `url` is processed. `expected` is the subject that the device's certificate names.
pub fn admit<N: PartialEq>(
    signature: &Signature<N>,
    expected: Option<&N>,
    mode: &SiteMode,
    url: &MudUrl,
    now: i64,
) -> Admission {
    let doubt = match signature {
        Signature::Missing => Doubt::Unsigned,
        Signature::Refused => Doubt::NotVerified,
        Signature::Verified(signer) if expected.is_some_and(|expected| *expected != signer.subject) => {
            Doubt::OtherSigner
        }
        Signature::Verified(_) => return Admission::Process,
    };
    match mode {
        SiteMode::Refuse => Admission::Refuse(doubt),
        SiteMode::Hold => Admission::Hold(doubt),
        SiteMode::Laboratory(approval) if approval.covers(url, now) => Admission::ProcessUnderApproval(doubt),
        SiteMode::Laboratory(_) => Admission::Hold(doubt),
    }
}

impl StandingApproval {
    fn covers(&self, url: &MudUrl, now: i64) -> bool {
        let below = self.below.as_str();
        // Dots that lead up could make another place look like one below.
        let inside = below.ends_with('/')
            && url.as_str().strip_prefix(below).is_some_and(|rest| rest.split('/').all(is_plain_segment));
        now < self.expires && (inside || *url == self.below)
    }
}

/// The signer of the first file that was accepted for a URL, as later ones are held against it. A rogue authority can
/// issue a certificate with the right subject, so both are remembered (RFC 8520, section 16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerPin<N> {
    /// Subject of the signer.
    pub subject: N,
    /// Key identifier of the authority that issued the signer's certificate.
    pub authority: Vec<u8>,
}

/// How a signer compares with the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignerChange {
    /// Same subject, same authority.
    Same,
    /// Same subject; the new authority stands below the old one.
    AuthorityVouched,
    /// Same subject, under an authority that the old one does not vouch for.
    OtherAuthority,
    /// Another subject.
    OtherSubject,
}

impl SignerChange {
    /// True when the new signer is as good as the old one.
    pub fn is_equivalent(self) -> bool {
        matches!(self, Self::Same | Self::AuthorityVouched)
    }
}

impl<N: PartialEq> SignerPin<N> {
    /// The pin for a signer; none without an authority.
    pub fn new(signer: Signer<N>) -> Option<Self> {
        let authority = signer.authorities.into_iter().next()?;
        Some(Self { subject: signer.subject, authority })
    }

    /// Compares a signer with the pinned one.
    pub fn compare(&self, signer: &Signer<N>) -> SignerChange {
        if signer.subject != self.subject {
            return SignerChange::OtherSubject;
        }
        match signer.authorities.iter().position(|authority| *authority == self.authority) {
            Some(0) => SignerChange::Same,
            Some(_) => SignerChange::AuthorityVouched,
            None => SignerChange::OtherAuthority,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn url(text: &str) -> MudUrl {
        MudUrl::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    fn signer(subject: &'static str, authorities: &[u8]) -> Signer<&'static str> {
        Signer { subject, authorities: authorities.iter().map(|id| vec![*id]).collect() }
    }

    #[test]
    fn nothing_is_processed_that_nobody_vouches_for() {
        let file = url("https://maker.example/lab/cam.json");
        let lab =
            |below: &str, expires| SiteMode::Laboratory(StandingApproval { below: url(below), expires });
        let good = Signature::Verified(signer("CN=Maker", &[1]));
        let missing = || Signature::<&str>::Missing;
        let folder = "https://maker.example/lab/";
        for (signature, expected, mode, outcome) in [
            (good.clone(), None, SiteMode::Refuse, Admission::Process),
            (good.clone(), Some("CN=Maker"), SiteMode::Refuse, Admission::Process),
            (good.clone(), Some("CN=Other"), SiteMode::Refuse, Admission::Refuse(Doubt::OtherSigner)),
            (good.clone(), Some("CN=Other"), SiteMode::Hold, Admission::Hold(Doubt::OtherSigner)),
            (missing(), None, SiteMode::Refuse, Admission::Refuse(Doubt::Unsigned)),
            (missing(), None, SiteMode::Hold, Admission::Hold(Doubt::Unsigned)),
            (Signature::Refused, None, SiteMode::Hold, Admission::Hold(Doubt::NotVerified)),
            (missing(), None, lab(folder, 101), Admission::ProcessUnderApproval(Doubt::Unsigned)),
            (missing(), None, lab(file.as_str(), 101), Admission::ProcessUnderApproval(Doubt::Unsigned)),
            (missing(), None, lab(folder, 100), Admission::Hold(Doubt::Unsigned)),
            (missing(), None, lab("https://maker.example/la", 101), Admission::Hold(Doubt::Unsigned)),
            (
                missing(),
                None,
                lab("https://maker.example.evil.example/", 101),
                Admission::Hold(Doubt::Unsigned),
            ),
            (good, None, lab("https://other.example/", 0), Admission::Process),
        ] {
            assert_eq!(
                admit(&signature, expected.as_ref(), &mode, &file, 100),
                outcome,
                "{signature:?} {mode:?}"
            );
        }
        let up = url("https://maker.example/lab/../cam.json");
        assert_eq!(admit(&missing(), None, &lab(folder, 101), &up, 100), Admission::Hold(Doubt::Unsigned));
    }

    #[test]
    fn a_pinned_signer_may_only_move_below_its_authority() {
        let pin = SignerPin::new(signer("CN=Maker", &[1, 0])).expect("an authority");
        assert_eq!(pin.authority, [1]);
        for (other, change) in [
            (signer("CN=Maker", &[1, 0]), SignerChange::Same),
            (signer("CN=Maker", &[1]), SignerChange::Same),
            (signer("CN=Maker", &[2, 1, 0]), SignerChange::AuthorityVouched),
            (signer("CN=Maker", &[2, 0]), SignerChange::OtherAuthority),
            (signer("CN=Maker", &[]), SignerChange::OtherAuthority),
            (signer("CN=Toaster", &[1, 0]), SignerChange::OtherSubject),
        ] {
            assert_eq!(pin.compare(&other), change, "{other:?}");
            let good = matches!(change, SignerChange::Same | SignerChange::AuthorityVouched);
            assert_eq!(change.is_equivalent(), good);
        }
        assert_eq!(SignerPin::new(signer("CN=Maker", &[])), None);
    }
}
