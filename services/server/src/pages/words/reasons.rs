//! The table of sentences.

/// The sentences of the reason codes.
///
/// Of several, the first whose details are all there is said; the last needs none. A code that is not in this table is
/// shown as it is, with its details, so that no reason is ever lost on the way to the page.
pub(super) const REASONS: &[(&str, &[&str])] = &[
    (
        "digest-mismatch",
        &[
            "{component} runs software that no release contains. Measured {measured}, expected {expected}.",
            "{component} runs software that no release contains. Measured {measured}.",
            "{component} runs software that no release contains.",
            "It runs software that no release contains.",
        ],
    ),
    (
        "no-reference",
        &[
            "{device} runs a release nobody vouched for: there are no signed expected values.",
            "It runs a release nobody vouched for: there are no signed expected values.",
        ],
    ),
    (
        "reference-tampered",
        &[
            "A stored expected value of {version} is not the signed one, so the release counts for nothing.",
            "A stored expected value is not the signed one, so its release counts for nothing.",
        ],
    ),
    ("mixed-releases", &["Each component is known, but no one release contains them all."]),
    (
        "component-missing",
        &[
            "{component} was not measured.",
            "A component of {version} was not measured.",
            "A component was not measured.",
        ],
    ),
    (
        "component-unknown",
        &[
            "{component} was measured, and the release does not contain it.",
            "A component was measured that the release does not contain.",
        ],
    ),
    ("component-twice", &["{component} was measured twice.", "A component was measured twice."]),
    (
        "component-signer-mismatch",
        &[
            "{component} was signed by another key than the expected one.",
            "A component was signed by another key than the expected one.",
        ],
    ),
    (
        "reference-expired",
        &[
            "The expected values of {release} are past their time.",
            "The expected values are past their time.",
        ],
    ),
    ("reference-not-yet-valid", &["The expected values are not valid yet."]),
    (
        "reference-profile",
        &["The expected values break the rules of their profile, or name one that is not known."],
    ),
    ("too-many-references", &["More expected values fit than can be compared."]),
    ("policy-refused", &["The operator's rules refuse it: {says}.", "The operator's rules refuse it."]),
    (
        "policy-warned",
        &[
            "The operator's rules ask somebody to look at it: {says}.",
            "The operator's rules ask somebody to look at it.",
        ],
    ),
    (
        "policy-failed",
        &[
            "The operator's rules could not be applied: {error}.",
            "The operator's rules could not be applied.",
        ],
    ),
    (
        "lifecycle-not-secured",
        &["Its root of trust is not secured: {lifecycle}.", "Its root of trust is not secured."],
    ),
    (
        "pcr-selection",
        &[
            "Its TPM quoted {quoted}, and {expected} are expected.",
            "Its TPM quoted other registers than those that are expected.",
        ],
    ),
    ("pcr-digest", &["The values of registers that came with a quote are not those that were quoted."]),
    ("weak-algorithm", &["Its evidence rests on a hash function that is believed nowhere any more."]),
    ("unprotected-evidence", &["No signature protects its evidence."]),
    (
        "attester-certificate",
        &["The certificate of its key is not of this device, or of nobody who may certify it."],
    ),
    (
        "endorsed-unfit",
        &[
            "Its maker says that {component} is {state}.",
            "Its maker says that it is not in a state to be trusted.",
        ],
    ),
    (
        "submodule-missing",
        &["A part of it is named in its evidence by a digest alone, and its claims did not come along."],
    ),
    ("detached-digest", &["Claims that came beside a token are not those whose digest is in it."]),
    (
        "digest-denied",
        &[
            "{component} runs software that is on the deny list. Measured {measured}.",
            "{component} runs software that is on the deny list.",
            "It runs software that is on the deny list.",
        ],
    ),
    (
        "manifest-mismatch",
        &[
            "The evidence names manifest {named}, and what was measured is of {measured}.",
            "The evidence names another manifest than the release that was measured.",
        ],
    ),
    (
        "superseded",
        &[
            "{version} is outdated: {new} has been out for {days}.",
            "{version} is outdated: {new} is out.",
            "Its release is outdated: a newer one is out.",
        ],
    ),
    (
        "release-revoked",
        &["{version} was revoked: “{reason}”.", "{version} was revoked.", "Its release was revoked."],
    ),
    (
        "known-flaw",
        &["{version} has {cve}, fixed in {new}.", "{version} has {cve}.", "Its release has a known flaw."],
    ),
    ("never-attested", &["It has never attested."]),
    (
        "evidence-overdue",
        &[
            "No evidence for {age}; a result is good for {limit}.",
            "No evidence for {age}.",
            "Its evidence is overdue.",
        ],
    ),
    ("debug-open", &["Its debug port is open."]),
    ("bad-evidence-signature", &["The evidence was not signed by this device's key."]),
    ("malformed-evidence", &["The evidence could not be read: {error}.", "The evidence could not be read."]),
    ("replayed-nonce", &["The evidence answers an older question."]),
    ("evidence-expired", &["The evidence says of itself that it is past its end."]),
    ("evidence-not-yet-valid", &["The evidence says of itself that it is from the future."]),
    ("unknown-device", &["No device with this id is enrolled, and nobody vouches for a key of it."]),
    (
        "same-key-twice",
        &[
            "Two devices use this key: {a} and {b}.",
            "Two devices use this key: this one and {other}.",
            "Two devices use this key.",
        ],
    ),
    ("malformed-object", &["The object could not be read: {error}.", "The object could not be read."]),
    ("unsigned-manifest", &["The manifest is not signed."]),
    (
        "unknown-signer",
        &[
            "Signed by {kid}, who may not sign for {model}.",
            "Signed by {kid}, who may not sign for this.",
            "Signed by someone who may not sign for this.",
        ],
    ),
    (
        "bad-manifest-signature",
        &[
            "The signature of {kid} on the manifest does not verify.",
            "A signature on the manifest does not verify.",
        ],
    ),
    ("unsupported-authentication", &["No signature on the manifest is of a kind that is understood here."]),
    ("author-signature-missing", &["Too few authors have signed it."]),
    (
        "author-not-authorised",
        &["Its author may not change {component}.", "Its author may not change this component."],
    ),
    ("author-out-of-scope", &["Its author may not sign for this vendor or class."]),
    ("sequence-reused", &["Its sequence belongs to another manifest."]),
    ("sequence-jump", &["Its sequence is too far ahead."]),
    ("malformed-manifest", &["The manifest could not be read: {error}.", "The manifest could not be read."]),
    ("legacy-draft", &["The manifest follows an old draft, in which the same numbers mean other things."]),
    ("unsupported-manifest-version", &["The manifest has a version that is not understood here."]),
    ("unsupported-member", &["The manifest has a member that is not understood here."]),
    ("unsupported-command", &["The manifest has a command that is not understood here."]),
    ("unsupported-parameter", &["The manifest has a parameter that is not understood here."]),
    ("unsupported-text", &["The manifest has a text element that is not understood here."]),
    ("unsupported-algorithm", &["The manifest uses an algorithm that is not understood here."]),
    ("operator-signature-missing", &["The operator has not signed it."]),
    ("party-signature-missing", &["A party that the authority list asks for has not signed it."]),
    (
        "component-signature-missing",
        &["Too few of those who may change one of its components have signed it."],
    ),
    (
        "unexpected-authorities",
        &[
            "It obeys authority list {attested}, which the policy does not name.",
            "It does not say which authority list it obeys.",
        ],
    ),
    ("authority-update-malformed", &["The change of the authority list could not be read."]),
    ("authority-list-locks-out", &["The new authority list could lock everybody out."]),
    ("authority-update-out-of-scope", &["The change of the authority list is for other devices."]),
    ("authority-update-replayed", &["The new authority list is in force already."]),
    ("authority-version-too-low", &["The new authority list is older than the one in force."]),
    ("authority-version-skipped", &["Authority lists before the new one are missing."]),
    ("authority-wrong-predecessor", &["The new authority list follows another than the one in force."]),
    ("authority-unknown-signer", &["Someone who is on no authority list signed its change."]),
    ("authority-bad-signature", &["A signature on the change of the authority list does not verify."]),
    ("authority-not-root", &["Someone who is no root signed the change of the authority list."]),
    ("authority-signed-twice", &["One key signed the change of the authority list twice."]),
    ("authority-root-signatures-missing", &["Too few roots have signed the change of the authority list."]),
    (
        "authority-new-root-signatures-missing",
        &["Too few roots of the new authority list have signed its change."],
    ),
    (
        "sequence-too-low",
        &[
            "Sequence {n} is not above {m}, which the device has.",
            "Its sequence is not above the one which the device has.",
        ],
    ),
    (
        "reference-conflict",
        &[
            "The parts list and the manifest contradict each other about {component}: {error}.",
            "The parts list and the manifest contradict each other about {component}.",
            "The parts list and the manifest contradict each other.",
        ],
    ),
    (
        "provenance-missing",
        &["The release carries no expected values: {error}.", "The release carries no expected values."],
    ),
    ("mud-signer-mismatch", &["Its network needs are not signed by the key that the manifest names."]),
    (
        "mud-missing",
        &[
            "The release does not carry its network needs; they are said to be at {url}.",
            "The release does not say what it needs from the network.",
        ],
    ),
    (
        "mud-url-ignored",
        &[
            "It announces other network needs, at {url}, than its release has. They change nothing.",
            "It announces other network needs than its release has. They change nothing.",
        ],
    ),
    (
        "mud-refused",
        &[
            "Its network needs cannot be applied as they are: {error}.",
            "Its network needs cannot be applied as they are.",
        ],
    ),
    (
        "mud-needs-approval",
        &[
            "Its network needs are so wide that a person must approve them, and no approval is in force: {rule} at {path}.",
            "Its network needs are so wide that a person must approve them, and no approval is in force.",
        ],
    ),
    ("result-signer", &["The result was not signed by a trusted verifier."]),
    ("result-binding", &["The result speaks of another device or another key."]),
    (
        "override-refused",
        &[
            "The override is not signed by the network operator, or breaks a rule: {error}.",
            "The override is not signed by the network operator, or breaks a rule.",
        ],
    ),
    ("not-affirmed", &["The verifier did not affirm it and gave no finer reason."]),
    (
        "forbidden-flow",
        &[
            "It contacted {target}, which no release asks for: {count}.",
            "It contacted {target}, which no release asks for.",
            "It contacted what no release asks for.",
        ],
    ),
    (
        "trial-timeout",
        &[
            "It did not attest {version} within {s} s and went back to {old}.",
            "It did not attest {version} in time and went back.",
            "It did not attest the new release in time and went back.",
        ],
    ),
    (
        "policy-not-staged",
        &[
            "Waits until {gateways} have the policy of {version}.",
            "Waits until the gateways have the policy of {version}.",
            "Waits until the gateways have the policy.",
        ],
    ),
    ("not-in-policy", &["Release {version} does not ask for this.", "No release asks for this."]),
    (
        "operator-block",
        &[
            "{person} blocked it: “{reason}”, until {until}.",
            "{person} blocked it: “{reason}”.",
            "{person} blocked it.",
            "A person blocked it.",
        ],
    ),
    (
        "operator-quarantine",
        &[
            "{person} put it into quarantine: “{reason}”, until {until}.",
            "{person} put it into quarantine: “{reason}”.",
            "{person} put it into quarantine.",
            "A person put it into quarantine.",
        ],
    ),
    (
        "operator-restriction",
        &[
            "{person} lets it begin nothing new: “{reason}”, until {until}.",
            "{person} lets it begin nothing new: “{reason}”.",
            "{person} lets it begin nothing new.",
            "A person lets it begin nothing new.",
        ],
    ),
    (
        "operator-ejection",
        &[
            "{person} put it off the network: “{reason}”, until {until}.",
            "{person} put it off the network: “{reason}”.",
            "{person} put it off the network.",
            "A person put it off the network.",
        ],
    ),
    (
        "cut-withheld",
        &["So many devices of its model were cut within an hour that it was not; somebody must look."],
    ),
    (
        "unsettled",
        &[
            "Its evidence was good and bad in turn {cuts} times; it is let go when {seconds} s have passed.",
            "Its evidence was good and bad in turn; it is let go later.",
        ],
    ),
    (
        "tls-profile",
        &[
            "Its handshake with {target} is not one that its release describes: {error}.",
            "A handshake of it is not one that its release describes.",
        ],
    ),
    (
        "release-unsupported",
        &[
            "It cannot process {version}: it lacks {missing}.",
            "It lacks {missing}, which the release needs.",
            "It cannot process the release.",
        ],
    ),
    (
        "scan-missing",
        &["There is no scan by {tool}, or it ended.", "A scan that is asked for is missing, or ended."],
    ),
    ("scan-found", &["{tool} found {findings} things in it.", "A scan found something in it."]),
    (
        "scan-refused",
        &["The statement on a scan is refused: {error}.", "The statement on a scan is refused."],
    ),
    (
        "malformed-voucher",
        &["The ownership voucher could not be read: {error}.", "The ownership voucher could not be read."],
    ),
    (
        "unsupported-voucher",
        &[
            "The ownership voucher has a form that is not taken here: {error}.",
            "The ownership voucher has a form that is not taken here.",
        ],
    ),
    ("voucher-signature", &["An entry of the ownership voucher was not signed by the owner before."]),
    (
        "voucher-certificate-hash",
        &["The certificates in the ownership voucher are not those that it was made for."],
    ),
    (
        "voucher-device-certificate",
        &[
            "The device's certificate in the ownership voucher cannot be used: {error}.",
            "The device's certificate in the ownership voucher cannot be used.",
        ],
    ),
    ("voucher-broken-chain", &["An entry of the ownership voucher does not follow what stands before it."]),
    ("voucher-key-type", &["A key in the ownership voucher is of another type than the manufacturer's."]),
    ("voucher-unsigned", &["Nobody signed the ownership voucher."]),
    ("voucher-not-ours", &["The ownership voucher gives the device to somebody else."]),
    ("voucher-unknown-manufacturer", &["The ownership voucher is by a manufacturer that is not trusted."]),
    ("malformed-report", &["The report could not be read: {error}.", "The report could not be read."]),
    (
        "unsupported-report",
        &[
            "The report has a form that is not taken here: {error}.",
            "The report has a form that is not taken here.",
        ],
    ),
    ("bad-report-signature", &["The report was not signed by this device's key."]),
    ("report-action", &["The report names an update that is not one of this device."]),
];
