//! Every file of `vectors/coswid` as its index says, or listed here with the reason why not.

#![allow(clippy::print_stderr, reason = "what is passed over is said aloud")]

use std::collections::BTreeMap;

use coswid::{
    Received,
    interchange::{self, ImportOptions},
};
use sextant_coswid as coswid;

/// Files that do not behave as their index says, and why that is right.
const EXCEPTIONS: [(&str, &str); 8] = [
    ("eat-appendix/hlos.cbor", "no entity is the tag creator, which RFC 9393 demands"),
    ("hirs/LVFS_sbom.coswid", "has no tag version, which RFC 9393 demands"),
    ("hirs/sign-pass-01.cose", "its algorithm is not protected"),
    ("hirs/sign-pass-02.cose", "no content type says that the payload is a tag"),
    ("hirs/sign_pass_rsa_3072_sha384.cose", "no content type says that the payload is a tag"),
    ("hirs/Mfg.Model.1.swidtag", "a placeholder of a few words"),
    ("swid-xml-nist/primary-auth-swid.xml", "a template of a test suite, with words for values"),
    ("swid-xml-nist/primary-non-auth-swid.xml", "a template of a test suite, with words for values"),
];

enum Outcome {
    Read,
    Refused(String),
    /// It is none of what is read here; why.
    Other(&'static str),
    /// Nobody said what it is.
    Unknown,
}

fn judge(group: &str, file: &str, bytes: &[u8]) -> Outcome {
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    match (group, extension) {
        (_, "diag") => Outcome::Other("the notation of a file beside it"),
        (_, "yaml" | "json") => Outcome::Other("what other tools make tags from"),
        ("corim-coev", "cbor") => Outcome::Other("concise evidence of TCG, which carries a tag"),
        ("veraison-swid", "cbor") if !file.starts_with("softwareidentity") => {
            Outcome::Other("a fragment, of which the crate's own test reads each")
        }
        ("swid-xml-nist" | "hirs", "swidtag" | "xml") => {
            match interchange::import(bytes, &ImportOptions::default()) {
                Ok(_) => Outcome::Read,
                Err(error) => Outcome::Refused(error.to_string()),
            }
        }
        (_, "cbor" | "coswid" | "cose") => match Received::decode(bytes) {
            Ok(_) => Outcome::Read,
            Err(error) => Outcome::Refused(format!("{error:?}")),
        },
        _ => Outcome::Unknown,
    }
}

#[test]
fn every_file_behaves_as_the_index_says() {
    let Some((folder, index)) = testkit::index("coswid") else { return };
    let (mut read, mut refused, mut exceptions) = (0, 0, 0);
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in index {
        let good = !row.expect.starts_with("REJECT");
        for file in &row.files {
            let name = format!("{}/{file}", row.group);
            let exception = EXCEPTIONS.iter().any(|(known, _)| *known == name);
            match judge(&row.group, file, &std::fs::read(folder.join(&name)).unwrap()) {
                Outcome::Other(why) => *others.entry(why).or_default() += 1,
                Outcome::Read if good && !exception => read += 1,
                Outcome::Refused(_) if !good && !exception => refused += 1,
                Outcome::Refused(_) if good && exception => exceptions += 1,
                Outcome::Read => wrong.push(format!("{name}: read ({})", row.expect)),
                Outcome::Refused(error) => wrong.push(format!("{name}: {error} ({})", row.expect)),
                Outcome::Unknown => wrong.push(format!("{name}: nobody judges it ({})", row.expect)),
            }
        }
    }
    eprintln!(
        "coswid vectors: {read} read, {refused} refused as they should be, {exceptions} exceptions, and of other kinds {others:?}"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(exceptions, EXCEPTIONS.len());
}
