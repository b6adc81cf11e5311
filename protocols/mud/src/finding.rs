//! What a file does wrong, or what a person should know before it is applied.

use alloc::string::String;

/// How much a finding weighs. Ordered: the worst one of a file decides what happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing needs doing.
    Note,
    /// Shown to the administrator; the file is applied.
    Warning,
    /// This access control entry is left out, the rest of the file holds.
    AceRefused,
    /// The file waits for a person's approval.
    NeedsApproval,
}

/// One finding, with the place it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable name of the rule, one of [`rules`].
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// JSON pointer (RFC 6901) of the node in the file.
    pub path: String,
    /// One sentence for a person. May quote the file: escape it before it reaches a terminal or a page.
    pub message: String,
}

impl Finding {
    pub(crate) fn new(rule: &Rule, path: String, message: String) -> Self {
        Self { code: rule.code, severity: rule.severity, path, message }
    }

    /// The same finding at another weight, where a site setting or the context says so.
    pub(crate) fn weighing(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

/// A rule of the linter or the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable name.
    pub code: &'static str,
    /// Weight of a finding, unless the site chose another.
    pub severity: Severity,
    /// Where the rule comes from.
    pub source: &'static str,
}

/// Declares each rule as a constant, and all of them as one table.
macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $severity:ident, $source:literal;)*) => {
        /// The rules, as constants and as one table for documentation.
        pub mod rules {
            use super::{Rule, Severity};
            $($(#[$doc])* pub const $name: Rule =
                Rule { code: $code, severity: Severity::$severity, source: $source };)*
            /// Every rule there is.
            pub const ALL: &[Rule] = &[$($name),*];
        }
    };
}

rules! {
    // Form of the file.
    /// The container of the lists has the name it had in a draft.
    OLD_CONTAINER = "old-acl-container", Note, "RFC 8519, section 4.1";
    /// A member carries no module name where RFC 7951 asks for one.
    BARE_NAME = "bare-member-name", Warning, "RFC 7951, section 4";
    /// A member carries a module name where RFC 7951 forbids one, or a YANG prefix in its place.
    NEEDLESS_PREFIX = "member-name-prefix", Note, "RFC 7951, section 4";
    /// A member is null, which is read as absent.
    NULL_MEMBER = "null-member", Warning, "RFC 7951, section 4";
    /// A YANG `empty` leaf is not `[null]`.
    EMPTY_LEAF = "empty-leaf-form", Warning, "RFC 7951, section 6.9";
    /// A node of no known module, outside of the matches. It is ignored.
    UNKNOWN_NODE = "unknown-node", Warning, "RFC 8520, sections 2 and 14";
    /// A node that belongs to the list model but not into a MUD file. It is ignored.
    OUT_OF_PLACE = "node-out-of-place", Warning, "RFC 8520, section 2";
    /// Part of an access control list was not understood, so its meaning is not known.
    UNKNOWN_IN_ACL = "unknown-node-in-acl", NeedsApproval, "RFC 8520, section 14";
    /// A boolean is written as text.
    TEXT_BOOLEAN = "text-boolean", Warning, "RFC 7951, section 6.3";
    // Metadata.
    /// `last-update` has no time zone; it is read as UTC.
    NO_ZONE = "last-update-zone", Warning, "RFC 6991, date-and-time";
    /// The maker no longer supports the device.
    NOT_SUPPORTED = "not-supported", Warning, "RFC 8520, section 3.6";
    /// No `mud-signature`: the file cannot be verified on its own. Whoever applies files decides what else may vouch for
    /// one, such as the manifest that carries it; without anything it has to wait for approval (section 13.2).
    NO_SIGNATURE = "no-signature", Warning, "RFC 8520, section 13";
    /// `mud-signature` is not an https reference.
    SIGNATURE_URL = "signature-url", Warning, "RFC 8520, section 3.3";
    /// The file names another file of the same folder as its URL.
    URL_FILE_NAME = "mud-url-file-name", Warning, "acceptable-urls draft";
    /// The administrator authorised the move to another URL.
    URL_MOVED = "mud-url-moved", Warning, "acceptable-urls draft";
    /// `cache-validity` below 24 hours.
    SHORT_CACHE = "cache-validity-short", Warning, "RFC 8520, section 3.5";
    /// `systeminfo` is wider than 60 columns.
    LONG_SYSTEMINFO = "systeminfo-length", Warning, "RFC 8520, section 3.7";
    /// A text holds control characters or bidirectional overrides; they are not displayed.
    CONTROL_CHARACTERS = "control-characters", Warning, "product";
    /// A revision in the file of a device whose URL cannot change.
    FIXED_REVISION = "revision-with-fixed-url", Warning, "RFC 8520, section 3.8";
    /// A revision that goes wrong when the device is updated and its URL stays.
    REVISION = "revision-in-file", Note, "RFC 8520, section 3.8";
    /// An extension is used and not declared.
    UNDECLARED_EXTENSION = "extension-undeclared", Warning, "RFC 8520, sections 3.9 and 14";
    /// An extension that this implementation does not know.
    UNKNOWN_EXTENSION = "extension-unknown", Warning, "RFC 8520, section 14";
    /// A node of a TLS profile has the name that the example of the RFC gives it.
    TLS_NODE_NAME = "tls-node-name", Warning, "RFC 9761, sections 5 and 7";
    /// Places for attestation in a file without `mud-signature`: nothing from there may be used.
    UNSIGNED_RESOURCES = "rats-unsigned", Warning, "mud-rats draft, section 3";
    /// An extension that is no standard.
    PRIVATE_EXTENSION = "extension-private", Warning, "RFC 8520, sections 14 and 17.8";
    /// The hint is meant for other software and ignored.
    IGNORED_EXTENSION = "extension-ignored", Note, "product";
    // Lists.
    /// No policy for one direction.
    NO_POLICY = "no-policy", Warning, "RFC 8520, section 5";
    /// A list that neither policy names.
    UNUSED_ACL = "unused-acl", Warning, "RFC 8520, section 2.1";
    /// The name of a list has spaces or special characters.
    ACL_NAME = "acl-name", Note, "RFC 8519, section 4.1";
    /// The type of a list is missing and was inferred.
    NO_TYPE = "acl-type-missing", Warning, "RFC 8519, section 4.1";
    /// The type of a list has the name that a tool gave it.
    OLD_TYPE = "acl-type-name", Warning, "RFC 8519, section 4.1";
    /// Matches that the type of the list does not allow.
    TYPE_MISMATCH = "acl-type-mismatch", Warning, "RFC 8519, section 4.1";
    /// Ethernet matches, on which a MUD file may not rely.
    ETHERNET = "ethernet-match", Warning, "RFC 8520, section 2";
    /// The order of several lists matters, and YANG gives them none.
    ACL_ORDER = "acl-order", Warning, "RFC 8520, section 2.1";
    /// An entry rejects instead of dropping.
    REJECT = "reject-action", Note, "RFC 8520, section 2";
    /// An action other than forwarding, which is ignored.
    OTHER_ACTION = "other-action", Warning, "RFC 8520, section 2";
    // Matches.
    /// `operator` beside a port range; the range counts.
    OPERATOR_AND_RANGE = "operator-and-range", Warning, "RFC 8519, section 4.2";
    /// A prefix has bits set after its length.
    HOST_BITS = "prefix-host-bits", Warning, "RFC 6991, ip-prefix";
    /// An address without a length where a prefix belongs.
    NO_PREFIX_LENGTH = "prefix-without-length", Warning, "RFC 6991, ip-prefix";
    /// A match on a leaf that RFC 8520 does not define, other than types and ports.
    UNCOMMON_MATCH = "uncommon-match", Warning, "RFC 8520, section 2";
    /// Literal addresses: valid only on the author's network, or for a while.
    LITERAL_ADDRESS = "literal-address", NeedsApproval, "RFC 8520, section 2";
    /// A multicast or broadcast address, which means the same everywhere.
    GROUP_ADDRESS = "group-address", Note, "RFC 8520, section 2";
    /// A class that no registry fills: it has no members until the operator gives it some.
    CONTROLLER_CLASS = "controller-class", Warning, "RFC 8520, section 4.6";
    /// The class is named by a URL. It is a name, and is never fetched.
    CONTROLLER_URL = "controller-url", Note, "RFC 8520, section 4.6";
    /// The operator has to say which hosts control this device.
    MY_CONTROLLER = "my-controller", Note, "RFC 8520, section 4.7";
    /// An entry that matches every remote.
    ANY_REMOTE = "any-remote", NeedsApproval, "RFC 8520, section 5";
    // Entries that are left out.
    /// An unknown match: without it the entry would match more.
    UNKNOWN_MATCH = "unknown-match", AceRefused, "RFC 8520, section 14";
    /// A name on the device's side.
    DEVICE_SIDE_NAME = "device-side-name", AceRefused, "RFC 8520, section 8.2";
    /// A prefix on the device's side.
    DEVICE_SIDE_PREFIX = "device-side-prefix", AceRefused, "RFC 8520, section 2";
    /// Two remotes that would have to hold at once.
    TWO_REMOTES = "two-remotes", AceRefused, "RFC 8520, section 2.1";
    /// The protocol number and the transport matches disagree.
    PROTOCOL_MISMATCH = "protocol-mismatch", AceRefused, "RFC 8519, section 4.2";
    /// `lower-port` or `upper-port` alone.
    HALF_RANGE = "half-port-range", AceRefused, "RFC 8519, section 4.2";
    /// A model that is not named by a MUD URL, which no device can have.
    MODEL_URL = "model-url", AceRefused, "RFC 8520, section 4.4";
    /// An interface of a device the author cannot know.
    INTERFACE = "interface-match", AceRefused, "RFC 8520, section 2";
    /// Nothing says whether the entry is about IPv4 or IPv6.
    NO_FAMILY = "no-family", AceRefused, "RFC 8519, section 4.1";
    /// An address of the other family.
    OTHER_FAMILY = "other-family", AceRefused, "RFC 8520, section 8";
    /// A match that the enforcer cannot make.
    NOT_ENFORCEABLE = "not-enforceable", AceRefused, "product";
    /// The entry follows one that drops and was left out: what it would have let through is not known.
    BEHIND_REFUSED = "behind-refused-drop", AceRefused, "RFC 8519, section 3";
    // Compilation.
    /// Matches frames only; the IP policy is not concerned.
    LINK_LAYER = "link-layer-only", Note, "product";
    /// An answer rule without a question: it opens all ports of the device to that remote port.
    ANSWER_ONLY = "answer-without-question", Warning, "product";
    /// A service that every device has by default was switched off.
    DEFAULT_OFF = "default-off", Note, "RFC 8520, section 5";
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::format;

    use super::{Severity, rules};

    /// The page that explains the rules names each, with its weight and source, and no other.
    #[test]
    fn every_rule_is_documented() {
        let page = include_str!("../../../docs/mud.md");
        let table = page.split_once("## Rules").expect("a table of the rules").1;
        for rule in rules::ALL {
            let weight = match rule.severity {
                Severity::Note => "note",
                Severity::Warning => "warning",
                Severity::AceRefused => "entry refused",
                Severity::NeedsApproval => "needs approval",
            };
            let (head, tail) = (format!("| `{}` | {weight} | ", rule.code), format!(" | {} |", rule.source));
            let row = table.lines().find(|line| line.starts_with(&head));
            assert!(row.is_some_and(|row| row.ends_with(&tail)), "{head}...{tail}");
        }
        let rows = table.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, rules::ALL.len());
    }

    #[test]
    fn codes_are_unique() {
        let codes: BTreeSet<_> = rules::ALL.iter().map(|rule| rule.code).collect();
        assert_eq!(codes.len(), rules::ALL.len());
    }
}
