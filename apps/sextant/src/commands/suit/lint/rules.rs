//! The rules, with their weights and reasons. Findings in MUD files have the codes of the MUD linter.

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Note,
    Warning,
    Error,
}

impl Weight {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

use Weight::{Error, Note, Warning};

/// Code, weight, and why the rule is there.
pub(super) const RULES: [(&str, Weight, &str); 39] = [
    ("unsigned-manifest", Error, "no device installs what nobody signed"),
    ("legacy-draft", Warning, "devices that follow today's documents refuse releases of older drafts"),
    ("no-equivalent", Error, "what cannot be said today no device does"),
    ("shared-key", Warning, "devices that share a key can make releases for one another"),
    ("no-vendor-check", Error, "a release for another vendor's devices would be installed"),
    ("no-class-check", Error, "a release for another class of device would be installed"),
    ("sequence-zero", Warning, "number 0 can replace nothing"),
    ("sequence-rollback", Error, "devices refuse what does not come after what they have"),
    ("no-digest", Error, "whoever serves the image decides what it is"),
    ("no-size", Warning, "a device cannot refuse an image that is too large before it comes"),
    ("payload-missing", Warning, "the manifest refers to an image that the envelope lacks"),
    ("digest-mismatch", Error, "devices refuse an image that is not the one the manifest names"),
    ("no-validation", Error, "nothing is checked before it is started"),
    ("invoke-unchecked", Error, "what is started was not checked on the way to the start"),
    ("install-unchecked", Warning, "what was written is not checked, and the fault shows at the next start"),
    (
        "parameter-elsewhere",
        Warning,
        "each procedure begins with nothing set: what another section sets may never be there",
    ),
    ("parameter-unset", Warning, "a condition without its parameter fails, a directive ends the procedure"),
    ("try-each-leak", Warning, "what a failed alternative has set stays set for the next"),
    ("digest-by-set-parameters", Error, "a dependent manifest that runs first would choose the image"),
    ("uri-not-https", Warning, "whoever is on the way sees and delays what is fetched"),
    (
        "encryption-unauthenticated",
        Error,
        "a changed ciphertext decrypts to something, and nothing looks at it",
    ),
    ("dependency-no-digest", Error, "any manifest in its place would be the dependency"),
    ("dependency-unchecked", Error, "a dependency is processed only after its integrity was checked"),
    ("dependency-unprocessed", Warning, "the dependency has a section that nothing runs"),
    (
        "beyond-distribution",
        Note,
        "a distributor's key is not enough to sign it: only an author may say this",
    ),
    ("no-sbom", Error, "evidence of devices has nothing to be compared with"),
    ("sbom-unreadable", Error, "evidence of devices has nothing to be compared with"),
    ("sbom-kind", Error, "only a tag of installed software says what devices should have"),
    ("sbom-incomplete", Error, "evidence names a component that the SBOM does not know"),
    ("sbom-optional", Note, "a device without the component is believed as well"),
    ("reference-conflict", Error, "SBOM and manifest say different things about the same image"),
    ("no-mud", Warning, "gateways let the device do no more than update"),
    ("mud-not-bound", Warning, "anybody could put another MUD file into the envelope"),
    ("mud-not-carried", Note, "gateways need the Internet to apply the release"),
    ("mud-unsigned", Error, "gateways apply no MUD file that its signer did not sign"),
    ("text-unreadable", Warning, "people cannot be told what the release is"),
    ("no-text", Note, "people cannot be told what the release is"),
    ("mud-broad", Warning, "an operator has to approve a release that asks for this much"),
    ("mud-refused", Error, "gateways would not apply the MUD file"),
];

/// Weight of a rule; what the verifier refuses has a code of its own and is an error.
pub(super) fn weight(code: &str) -> Weight {
    RULES.iter().find(|(name, _, _)| *name == code).map_or(Error, |(_, weight, _)| *weight)
}
