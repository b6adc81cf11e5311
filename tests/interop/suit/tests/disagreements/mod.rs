//! Every row in which a peer and this product disagree, and who is right.

/// Who is right, and where that is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Right {
    /// We are, by this section of draft-ietf-suit-manifest-37 or of what it rests on.
    Draft(&'static str),
    /// The draft lets both: we refuse more than it asks for, and why.
    Stricter(&'static str),
    /// The draft leaves it open, or says both.
    Open(&'static str),
}

/// Rows of one peer, by name.
pub(crate) type List = &'static [(&'static str, Right)];

use Right::{Draft, Open, Stricter};

/// `suit_validator` decodes what it is asked for, skips what it does not know, and holds no command to its place.
pub(crate) const SUIT_VALIDATOR: List = &[
    ("own/payload-attached", Draft("8.3: blocks are computed with detached payloads")),
    // The signature is over the attached digest, which nothing compares with the one beside it. An author who ever signed
    // a message of any kind with this key has signed every manifest.
    (
        "own/payload-attached-of-another",
        Draft("8.3; RFC 9052, section 4.1: what is signed is not the manifest's digest"),
    ),
    (
        "own/critical-header-unknown",
        Draft("RFC 9052, section 3.1: a critical header that is not understood is fatal"),
    ),
    ("own/trailing", Draft("8.2: an envelope is one map")),
    ("own/trailing-in-manifest", Draft("8.2: the byte string holds one manifest")),
    ("own/manifest-first", Draft("8.3: SUIT_Authentication MUST come before the manifest")),
    ("own/duplicate-member", Draft("8.1; RFC 8949, section 5.6: duplicate keys make a map invalid")),
    ("own/duplicate-parameter", Draft("8.1; RFC 8949, section 5.6")),
    ("own/members-out-of-order", Draft("8.1: maps MUST have the canonical order")),
    (
        "own/number-not-shortest",
        Stricter("8.1 asks for the order of keys alone; RFC 8949, section 4.2.1 has both in one"),
    ),
    (
        "own/map-indefinite",
        Stricter("8.1 asks for the order of keys alone; RFC 8949, section 4.2.1 has both in one"),
    ),
    ("own/components-none", Draft("8.4.5, CDDL: one component at least")),
    (
        "own/sequence-not-wrapped",
        Draft("8.4: sections are byte strings; this one is read as no install section at all"),
    ),
    ("own/try-each-one", Draft("8.4.10.2, CDDL: two alternatives at least")),
    (
        "own/fetch-in-shared",
        Draft("8.4.5, CDDL: SUIT_Shared_Commands has no fetch; it is passed over in silence"),
    ),
    ("own/copy-in-shared", Draft("8.4.5, CDDL")),
    ("own/write-in-shared", Draft("8.4.5, CDDL")),
    ("own/invoke-in-shared", Draft("8.4.5, CDDL")),
    ("own/command-private-in-shared", Draft("6.2: no custom commands in the shared sequence")),
    (
        "own/soft-failure-outside",
        Draft("8.4.8.15: setting it outside MUST NOT be and causes an Abort; found out at run time only"),
    ),
    ("own/component-not-selected", Draft("6.2: every section MUST begin with set-component-index")),
    ("own/component-beyond", Draft("8.4.10.1: an index into the component list; found out at run time only")),
    ("own/sequences-nested-deeply", Stricter("the draft names no limit; a device's stack has one")),
    (
        "own/command-unknown",
        Draft("6.1: a manifest with an unsupported command is excluded; it is passed over in silence"),
    ),
    ("own/command-unknown-nested", Draft("6.1; update-management, section 5")),
    (
        "own/parameter-unknown",
        Draft("6.1: a manifest with an unsupported parameter is excluded; it is passed over in silence"),
    ),
    (
        "own/member-unknown",
        Stricter("the draft does not say; what is passed over may be what the author relied on"),
    ),
    ("own/member-zero", Draft("8.1: 0 stands for nothing")),
    // The members of an envelope that were severed are looked for under 4 and payloads under 5, where none are.
    ("own/severed-exchanged", Draft("8.6: a severed member is held to its digest; it is not read at all")),
    ("own/severed-unknown", Draft("8.6: nothing vouches for it; it is not read at all")),
    ("constructed/neg-duplicate-key.hex", Draft("8.1; RFC 8949, section 5.6")),
    ("constructed/neg-fetch-in-shared.hex", Draft("8.4.5, CDDL")),
    ("constructed/neg-no-set-index.hex", Draft("6.2")),
    ("constructed/neg-non-shortest-int.hex", Stricter("as own/number-not-shortest")),
    ("constructed/neg-try-each-one.hex", Draft("8.4.10.2, CDDL")),
    ("constructed/neg-unknown-command.hex", Draft("6.1")),
    ("constructed/try-each-nil.hex", Draft("8.4.10.2: a trailing nil is an alternative; reading it fails")),
    (
        "legacy/draft-14/example0.signed.hex",
        Stricter("its sections have labels that today mean nothing, and are passed over"),
    ),
    ("legacy/draft-19/example4.signed.hex", Stricter("its install section is member 17, and is passed over")),
    ("legacy/draft-25/example1.signed.hex", Stricter("its install section is member 17, and is passed over")),
    (
        "legacy/draft-25/example2.signed-with-severed.hex",
        Stricter("its install section is member 17, and is passed over"),
    ),
    ("legacy/draft-25/example2.signed.hex", Stricter("its install section is member 17, and is passed over")),
    ("legacy/draft-25/example3.signed.hex", Stricter("its install section is member 17, and is passed over")),
    ("legacy/draft-25/example4.signed.hex", Stricter("its install section is member 17, and is passed over")),
    ("legacy/draft-25/example5.signed.hex", Stricter("its install section is member 17, and is passed over")),
];

/// `dress-up` looks members up one by one and runs what it finds, and sees neither what is beside nor what is behind.
pub(crate) const DRESS_UP: List = &[
    ("own/trailing", Draft("8.2: an envelope is one map")),
    ("own/trailing-in-manifest", Draft("8.2: the byte string holds one manifest")),
    // The first of the two is verified and run, so that nothing unsigned is.
    ("own/second-manifest", Draft("8.1; RFC 8949, section 5.6: duplicate keys make a map invalid")),
    ("own/duplicate-member", Draft("8.1; RFC 8949, section 5.6")),
    ("own/manifest-first", Draft("8.3: SUIT_Authentication MUST come before the manifest")),
    ("own/members-out-of-order", Draft("8.1: maps MUST have the canonical order")),
    (
        "own/number-not-shortest",
        Stricter("8.1 asks for the order of keys alone; RFC 8949, section 4.2.1 has both in one"),
    ),
    ("own/try-each-one", Draft("8.4.10.2, CDDL: two alternatives at least")),
    (
        "own/fetch-in-nested-shared",
        Draft("8.4.5: no effects in the shared sequence, whatever it is in; the fetch runs"),
    ),
    (
        "own/component-not-selected",
        Draft("6.2: every section MUST begin with set-component-index; it writes to both"),
    ),
    (
        "own/component-beyond",
        Draft("8.4.10.1: no component is selected, the commands are skipped, and it succeeds"),
    ),
    // It panics at an unfinished place in its code: whoever may sign stops the device.
    ("own/command-unknown", Draft("6.1: excluded, and not a crash")),
    ("own/command-private", Draft("6.1: excluded, and not a crash")),
    (
        "own/command-private-in-shared",
        Draft("6.2: no custom commands in the shared sequence, and not a crash"),
    ),
    ("own/command-unknown-nested", Draft("6.1; update-management, section 5: the part before it runs")),
    (
        "own/member-unknown",
        Stricter("the draft does not say; what is passed over may be what the author relied on"),
    ),
    ("own/member-zero", Draft("8.1: 0 stands for nothing")),
    (
        "own/try-each-nil",
        Draft("8.4.10.2: a trailing nil is an alternative; it expects an empty byte string there"),
    ),
    (
        "own/try-each-nested",
        Open("8.4.10.2 has it return an error, 8.4.8.15 fail with the condition's code, which is soft"),
    ),
    ("constructed/neg-unknown-command.hex", Draft("6.1: excluded, and not a crash")),
    (
        "legacy/draft-14/example0.signed.hex",
        Stricter("its sections have labels that today mean nothing, and are passed over"),
    ),
];
