use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal),+ $(,)?) => {
        /// Why a device is not trusted, an object is refused or a flow is not open.
        ///
        /// The code travels unchanged from whoever refuses to the audit record, the API and the page.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $name),+ }

        impl Code {
            /// Every code, for tables and pages.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as it is written everywhere.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// The code with this text.
            pub fn from_text(text: &str) -> Option<Self> {
                match text { $($code => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

codes! {
    /// A measured component is not what the release it belongs to contains.
    DigestMismatch = "digest-mismatch",
    /// No signed release gives expected values for this class of device.
    NoReference = "no-reference",
    /// A stored expected value differs from the signed object it was taken from.
    ReferenceTampered = "reference-tampered",
    /// Each component is known, but no one release contains them all.
    MixedReleases = "mixed-releases",
    /// A component that the release requires was not measured.
    ComponentMissing = "component-missing",
    /// A component was measured that the release does not contain.
    ComponentUnknown = "component-unknown",
    /// The same component was measured twice.
    ComponentTwice = "component-twice",
    /// A measured component was signed by another key than the one that is expected.
    ComponentSignerMismatch = "component-signer-mismatch",
    /// The manifest with the expected values is not valid at this time.
    ReferenceExpired = "reference-expired",
    /// The manifest with the expected values, or its signature, is not valid yet.
    ReferenceNotYetValid = "reference-not-yet-valid",
    /// The manifest with the expected values names a profile that is not known, or breaks the rules of its own.
    ReferenceProfile = "reference-profile",
    /// More expected values fit than are looked at.
    TooManyReferences = "too-many-references",
    /// The security lifecycle of the device's root of trust is not one to be trusted.
    LifecycleNotSecured = "lifecycle-not-secured",
    /// A measured component is on the deny list.
    DigestDenied = "digest-denied",
    /// The operator's own rules say that the device is not to be trusted.
    PolicyRefused = "policy-refused",
    /// The operator's own rules say that somebody should look at the device.
    PolicyWarned = "policy-warned",
    /// The operator's own rules could not be applied.
    PolicyFailed = "policy-failed",
    /// The evidence names another manifest than the release that was measured.
    ManifestMismatch = "manifest-mismatch",
    /// A newer release is out and the time to move to it is over.
    Superseded = "superseded",
    /// The release was revoked.
    ReleaseRevoked = "release-revoked",
    /// The release has a known flaw.
    KnownFlaw = "known-flaw",
    /// The device never attested.
    NeverAttested = "never-attested",
    /// The newest result is past its end.
    EvidenceOverdue = "evidence-overdue",
    /// The device's debug port is open.
    DebugOpen = "debug-open",
    /// The evidence was not signed by this device's key.
    BadEvidenceSignature = "bad-evidence-signature",
    /// The evidence could not be read.
    MalformedEvidence = "malformed-evidence",
    /// The evidence answers an older question.
    ReplayedNonce = "replayed-nonce",
    /// A hash function that is believed nowhere any more.
    WeakAlgorithm = "weak-algorithm",
    /// A TPM quoted other PCRs than those that are expected.
    PcrSelection = "pcr-selection",
    /// The values of PCRs that came with a quote are not those that were quoted.
    PcrDigest = "pcr-digest",
    /// No signature protects the evidence, and the channel it came over does not say whose it is.
    UnprotectedEvidence = "unprotected-evidence",
    /// Claims that came beside a token are not those whose digest is in it.
    DetachedDigest = "detached-digest",
    /// An endorser says that what was measured is not secure, not configured, or there to recover the device.
    EndorsedUnfit = "endorsed-unfit",
    /// The certificate that came with evidence does not lead to anybody who may certify the device, or is of another.
    AttesterCertificate = "attester-certificate",
    /// A part of the device is named in its evidence by a digest alone, and its claims did not come along.
    SubmoduleMissing = "submodule-missing",
    /// A token says of itself that it is past its end.
    EvidenceExpired = "evidence-expired",
    /// A token says of itself that it is from the future, or not valid yet.
    EvidenceNotYetValid = "evidence-not-yet-valid",
    /// No device with this id is enrolled.
    UnknownDevice = "unknown-device",
    /// Two devices use one key.
    SameKeyTwice = "same-key-twice",
    /// The object could not be read.
    MalformedObject = "malformed-object",
    /// The manifest bears no signature.
    UnsignedManifest = "unsigned-manifest",
    /// The signer is not known, or may not sign for this class or component.
    UnknownSigner = "unknown-signer",
    /// A signature names a known key and that key did not make it.
    BadManifestSignature = "bad-manifest-signature",
    /// No signature is of a kind that is understood.
    UnsupportedAuthentication = "unsupported-authentication",
    /// Too few authors signed.
    AuthorSignatureMissing = "author-signature-missing",
    /// The author may not change this component.
    AuthorNotAuthorised = "author-not-authorised",
    /// The author may not sign for this vendor or class.
    AuthorOutOfScope = "author-out-of-scope",
    /// The operator's signature, which must stand beside the author's, is missing.
    OperatorSignatureMissing = "operator-signature-missing",
    /// The signature of another party that the authority list asks for is missing.
    PartySignatureMissing = "party-signature-missing",
    /// Too few keys that may change a component signed.
    ComponentSignatureMissing = "component-signature-missing",
    /// The device obeys another list of authorities than the policy names.
    UnexpectedAuthorities = "unexpected-authorities",
    /// The change of the authority list breaks a rule of its format.
    AuthorityUpdateMalformed = "authority-update-malformed",
    /// The new authority list could not be met or changed by its own members.
    AuthorityListLocksOut = "authority-list-locks-out",
    /// The change of the authority list is for other devices.
    AuthorityUpdateOutOfScope = "authority-update-out-of-scope",
    /// The new authority list is in force already.
    AuthorityUpdateReplayed = "authority-update-replayed",
    /// The new authority list is older than the one in force.
    AuthorityVersionTooLow = "authority-version-too-low",
    /// Authority lists between the one in force and the new one are missing.
    AuthorityVersionSkipped = "authority-version-skipped",
    /// The new authority list follows another than the one in force.
    AuthorityWrongPredecessor = "authority-wrong-predecessor",
    /// A signature on the change of the authority list is by nobody on the lists.
    AuthorityUnknownSigner = "authority-unknown-signer",
    /// A signature on the change of the authority list names a key that did not make it.
    AuthorityBadSignature = "authority-bad-signature",
    /// A signature on the change of the authority list is by a member that is no root.
    AuthorityNotRoot = "authority-not-root",
    /// One key signed the change of the authority list twice.
    AuthoritySignedTwice = "authority-signed-twice",
    /// Too few roots of the authority list in force signed its change.
    AuthorityRootSignaturesMissing = "authority-root-signatures-missing",
    /// Too few roots of the new authority list signed it.
    AuthorityNewRootSignaturesMissing = "authority-new-root-signatures-missing",
    /// The manifest's sequence number is not above the one the device has.
    SequenceTooLow = "sequence-too-low",
    /// The sequence number belongs to another manifest.
    SequenceReused = "sequence-reused",
    /// The sequence number is too far ahead.
    SequenceJump = "sequence-jump",
    /// The manifest breaks a rule of its format.
    MalformedManifest = "malformed-manifest",
    /// The manifest follows a draft in which the same numbers mean other things.
    LegacyDraft = "legacy-draft",
    /// The manifest has another version.
    UnsupportedManifestVersion = "unsupported-manifest-version",
    /// The manifest has a member that is not known.
    UnsupportedMember = "unsupported-member",
    /// The manifest has a command that is not known.
    UnsupportedCommand = "unsupported-command",
    /// The manifest has a parameter that is not known.
    UnsupportedParameter = "unsupported-parameter",
    /// The manifest has a text element that is not known.
    UnsupportedText = "unsupported-text",
    /// The manifest uses an algorithm that is not known.
    UnsupportedAlgorithm = "unsupported-algorithm",
    /// The SBOM in the release and the manifest's own digests contradict each other.
    ReferenceConflict = "reference-conflict",
    /// The release carries no expected values.
    ProvenanceMissing = "provenance-missing",
    /// The MUD file is not signed by the key that the manifest pins.
    MudSignerMismatch = "mud-signer-mismatch",
    /// The release declares no network needs, or the file that holds them is absent.
    MudMissing = "mud-missing",
    /// The device announces a MUD URL that its release does not bind; it changes nothing.
    MudUrlIgnored = "mud-url-ignored",
    /// The MUD file cannot be applied as it is.
    MudRefused = "mud-refused",
    /// The MUD file asks for so much that a person must approve it.
    MudNeedsApproval = "mud-needs-approval",
    /// The result was not signed by a trusted verifier.
    ResultSigner = "result-signer",
    /// The result speaks of another device or another key.
    ResultBinding = "result-binding",
    /// The override was not signed by the network operator, or breaks its rules.
    OverrideRefused = "override-refused",
    /// The verifier did not affirm the device and gave no finer reason.
    NotAffirmed = "not-affirmed",
    /// The device contacts what its release does not ask for.
    ForbiddenFlow = "forbidden-flow",
    /// The device did not attest a new release in time and went back.
    TrialTimeout = "trial-timeout",
    /// Gateways have not yet acknowledged the policy of the release.
    PolicyNotStaged = "policy-not-staged",
    /// The release does not ask for this flow.
    NotInPolicy = "not-in-policy",
    /// A person blocked the device.
    OperatorBlock = "operator-block",
    /// A person put the device into quarantine.
    OperatorQuarantine = "operator-quarantine",
    /// A person lets the device begin nothing new.
    OperatorRestriction = "operator-restriction",
    /// A person put the device off the network.
    OperatorEjection = "operator-ejection",
    /// So many devices of the model were cut within an hour that this one was not.
    CutWithheld = "cut-withheld",
    /// Its evidence was good and bad in turn, so that it is let go later.
    Unsettled = "unsettled",
    /// The handshake of a flow is not one that the release describes.
    TlsProfile = "tls-profile",
    /// The device says that it cannot process the release.
    ReleaseUnsupported = "release-unsupported",
    /// A statement on a scan that the policy asks for is missing, or ended.
    ScanMissing = "scan-missing",
    /// A scan that the policy asks for found something.
    ScanFound = "scan-found",
    /// The statement on a scan was not signed by a key that is trusted for it, or breaks its rules.
    ScanRefused = "scan-refused",
    /// The ownership voucher could not be read.
    MalformedVoucher = "malformed-voucher",
    /// The ownership voucher is of another version, or uses what is not implemented.
    UnsupportedVoucher = "unsupported-voucher",
    /// An entry of the ownership voucher was not signed by the owner before.
    VoucherSignature = "voucher-signature",
    /// The device's certificates are not those that the ownership voucher was made for.
    VoucherCertificateHash = "voucher-certificate-hash",
    /// The certificate of the device in the ownership voucher cannot be used, or leads to nobody who may certify it.
    VoucherDeviceCertificate = "voucher-device-certificate",
    /// An entry of the ownership voucher does not follow what stands before it.
    VoucherBrokenChain = "voucher-broken-chain",
    /// A key in the ownership voucher is of another type than the manufacturer's.
    VoucherKeyType = "voucher-key-type",
    /// Nobody signed the ownership voucher: it has no entry.
    VoucherUnsigned = "voucher-unsigned",
    /// The ownership voucher gives the device to somebody else.
    VoucherNotOurs = "voucher-not-ours",
    /// The ownership voucher is by a manufacturer that is not trusted.
    VoucherUnknownManufacturer = "voucher-unknown-manufacturer",
    /// A report of an update could not be read.
    MalformedReport = "malformed-report",
    /// A report of an update is of a form that is not taken.
    UnsupportedReport = "unsupported-report",
    /// A report of an update was not signed by this device's key.
    BadReportSignature = "bad-report-signature",
    /// A report of an update names an action that is not one of the device.
    ReportAction = "report-action",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One reason: a code, and the names and values a sentence about it needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// What is wrong.
    pub code: Code,
    /// Names and values, sorted by name; for people, never for decisions.
    pub detail: Vec<(String, String)>,
}

impl Reason {
    /// A reason without detail.
    pub fn new(code: Code) -> Self {
        Self { code, detail: Vec::new() }
    }

    /// The same reason with one more detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        let entry = (name.to_owned(), alloc::format!("{value}"));
        match self.detail.binary_search_by(|(other, _)| other.as_str().cmp(name)) {
            Ok(at) => self.detail[at] = entry,
            Err(at) => self.detail.insert(at, entry),
        }
        self
    }
}

impl From<Code> for Reason {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        for (index, (name, value)) in self.detail.iter().enumerate() {
            write!(f, "{}{name} {value}", if index == 0 { ": " } else { ", " })?;
        }
        Ok(())
    }
}

impl core::error::Error for Reason {}
