//! The sentences of what gateways say of devices without attestation and their MUD files: of codes that no decision about
//! an attested device has.

/// As in the table of reasons.
pub(super) const NETWORK: &[(&str, &[&str])] = &[
    ("mud-unsigned", &["The file is not signed, so nobody reads it before you approve."]),
    (
        "mud-signature",
        &[
            "The signature of the file is not to be believed: {error}.",
            "The signature of the file is not to be believed.",
        ],
    ),
    (
        "mud-signer-subject",
        &["The file is signed by another subject than the certificate of the device names."],
    ),
    (
        "mud-signer-changed",
        &[
            "Somebody else signed the file than the one before: {change}.",
            "Somebody else signed the file than the one before.",
        ],
    ),
    ("mud-signer-first", &["The file before was not signed, and this one is."]),
    ("mud-wider", &["It permits more than the file in force."]),
    (
        "mud-url-moved",
        &["The file says that it lives elsewhere, at {found}.", "The file says that it lives elsewhere."],
    ),
    ("mud-url-authority", &["The device announces a URL of another house. It keeps what it had."]),
    ("mud-url-place", &["The device announces another place of the same house. It keeps what it had."]),
    ("mud-url-earlier", &["The device went back to a URL that it had before. It keeps what it has."]),
    (
        "mud-url-of-operator",
        &[
            "It announces {url}; the operator says otherwise.",
            "It announces another URL than the operator gave it.",
        ],
    ),
    ("mud-url-contradiction", &["It says two things about its MUD file, and is believed neither."]),
    ("mud-too-many", &["The gateway keeps no more URLs."]),
    (
        "address-taken",
        &["It wants {address}, which another device has.", "It wants an address that another device has."],
    ),
    ("mud-last-update-back", &["The file is older than the one in force."]),
    ("mud-last-update-stood", &["The file changed and its date did not."]),
    ("mud-approval-ended", &["The approval of the file is over."]),
    (
        "mud-fetch-internal",
        &["The URL leads inside of the network, to {detail}.", "The URL leads inside of the network."],
    ),
    ("mud-fetch-name", &["The web server's name has no address."]),
    ("mud-fetch-connect", &["The web server does not answer."]),
    ("mud-fetch-certificate", &["The web server's certificate is not to be believed."]),
    ("mud-fetch-timeout", &["The web server took too long."]),
    ("mud-fetch-absent", &["The web server has no such file."]),
    (
        "mud-fetch-status",
        &["The web server answered with status {detail}.", "The web server did not give the file."],
    ),
    ("mud-fetch-too-large", &["The file is too large."]),
    ("mud-fetch-redirects", &["The web server sends from place to place."]),
    ("mud-fetch-not-https", &["The web server sends to a place without HTTPS."]),
    (
        "mud-fetch-moved",
        &["The file moved for good to another house, {detail}.", "The file moved for good to another house."],
    ),
    ("mud-fetch-no-file", &["What is there is no MUD file."]),
    (
        "mud-file-unreadable",
        &["The operator's file cannot be read: {detail}.", "The operator's file cannot be read."],
    ),
    (
        "mud-file-ends",
        &["The operator's file is near the end of its time or past it, and nobody else renews it."],
    ),
];
