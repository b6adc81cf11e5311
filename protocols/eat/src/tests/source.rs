//! Every file of `vectors/rats` as its index says: read, verified where there is a key, and refused where it should be.

use std::{collections::BTreeMap, path::Path};

use cbor::{MapBuilder, Writer};
use cose::{MacKey, Purpose, TrustAnchor, TrustAnchors};
use crypto::{Digest, HashAlgorithm, PublicKey, SigningKey};

use super::nonce;
use crate::{json::Value, *};

/// What became of a file.
enum Outcome {
    Read,
    Refused(Error),
    /// It is none of what this crate reads; why.
    Other(&'static str),
    /// Nobody said what it is.
    Unknown,
}

impl<T> From<Result<T, Error>> for Outcome {
    fn from(result: Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Read,
            Err(error) => Self::Refused(error),
        }
    }
}

/// Files that do not behave as the index says, and why that is right.
const EXCEPTIONS: [(&str, &str, &str); 8] = [
    ("eat-rfc9711", "minimal.cbor", "oemboot without oemid, against the text it is an example of"),
    ("eat-rfc9711", "valid_tee.cbor", "oemboot without oemid"),
    ("eat-rfc9711", "valid_key_store.cbor", "oemboot without oemid"),
    ("eat-rfc9711", "submods.cbor", "an older numbering: the label of swversion holds a name"),
    ("eat-rfc9711", "submods.json", "base64url with padding, and oemboot without oemid"),
    ("eat-ctoken", "token.cbor", "no tag says what it is"),
    (
        "psa-veraison-json",
        "test-boot-seed-invalid-missing.json",
        "the profile it names has the boot seed optional",
    ),
    (
        "cca-go-realm-json",
        "test-cca-claims-all-valid.json",
        "its realm key is filler and no point of a curve",
    ),
];

#[test]
#[allow(clippy::print_stderr, reason = "counts are said aloud")]
fn every_file_behaves_as_the_index_says() {
    let Some((dir, rows)) = testkit::index("rats") else { return };
    let (mut read, mut refused, mut exceptions) = (0, 0, 0);
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for testkit::IndexRow { group, files, expect, .. } in rows {
        for file in files {
            let bytes = std::fs::read(dir.join(&group).join(&file)).unwrap();
            let good = !(expect.starts_with("INVALID") || expect.starts_with("REJECT"));
            let outcome = judge(&dir, &group, &file, &bytes);
            let expected = match &outcome {
                Outcome::Other(why) => {
                    *others.entry(why).or_default() += 1;
                    continue;
                }
                Outcome::Unknown => {
                    wrong.push(format!("{group}/{file}: nobody judges it ({expect})"));
                    continue;
                }
                Outcome::Read => good,
                Outcome::Refused(_) => !good || expect == "must not panic",
            };
            let exception = EXCEPTIONS.iter().any(|(g, f, _)| (*g, *f) == (group.as_str(), file.as_str()));
            match (&outcome, expected, exception) {
                (_, false, true) => exceptions += 1,
                (Outcome::Read, true, false) => read += 1,
                (Outcome::Refused(_), true, false) => refused += 1,
                (Outcome::Refused(error), _, _) => {
                    wrong.push(format!("{group}/{file}: {error:?} ({expect})"))
                }
                _ => wrong.push(format!("{group}/{file}: exception {exception}, read ({expect})")),
            }
        }
    }
    eprintln!(
        "rats vectors: {read} read, {refused} refused as they should be, {exceptions} exceptions, and of other kinds {others:?}"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(exceptions, EXCEPTIONS.len());
    assert!(read >= 99 && refused >= 74, "as many as ever: {read} read, {refused} refused");
}

const KEY: &str = "a key or certificate, or the digits of a file beside it";

fn is_key(file: &str) -> bool {
    ["tfm-es-iak", "tfm-hs-iak", "ec256", "ec384"].iter().any(|name| file.starts_with(name))
}

fn judge(dir: &Path, group: &str, file: &str, bytes: &[u8]) -> Outcome {
    let extension = Path::new(file).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension {
        "diag" | "txt" => return Outcome::Other("the notation of a file beside it"),
        "pem" | "hex" | "jwk" => return Outcome::Other(KEY),
        _ => {}
    }
    let json = || Value::parse(bytes).unwrap();
    match (group, extension) {
        ("eat-rfc9711", "cbor") if file == "valid_cwt.cbor" => Token::decode(bytes).into(),
        ("eat-rfc9711", _) if file.ends_with("deb.cbor") || file == "deb.json" => bundle_of_rfc(bytes).into(),
        ("eat-rfc9711", "cbor") => claims(bytes).into(),
        ("eat-rfc9711", "json") => Claims::decode_json(bytes).into(),
        ("eat-ctoken", _) => Token::decode(bytes).into(),
        ("eat-made", _) => eat_made(dir, file, bytes).into(),
        ("psa-rfc9783", "cbor") => psa_of_rfc(dir, file, bytes).into(),
        ("psa-rfc9783-claims" | "psa-veraison-cbor", "cbor") => PsaClaims::decode(bytes).into(),
        ("psa-veraison-json", "json") => PsaClaims::decode(&psa_claims(&json())).into(),
        ("psa-tfm", "bin") => tfm(dir, file, bytes).into(),
        ("veraison-scheme-psa-iot", "cbor") => PsaToken::decode(bytes).into(),
        ("veraison-e2e", "cbor") if file.starts_with("psa") => {
            let key = jwk_key(&dir.join("veraison-e2e/ec-p256.jwk"));
            PsaToken::decode(bytes).and_then(|token| verified(token, &key)).into()
        }
        ("veraison-e2e" | "veraison-scheme-arm-cca", "cbor") => {
            let key = jwk_key(&dir.join("veraison-integration-keys/ec.p256.jwk"));
            CcaToken::decode(bytes).and_then(|token| verified_cca(token, &key)).into()
        }
        ("cca-rust", "cbor") if file.starts_with("platform") => CcaPlatformClaims::decode(bytes).into(),
        ("cca-rust", "cbor") if file.starts_with("realm") => CcaRealmClaims::decode(bytes).into(),
        ("cca-rust", "cbor") if file == "bug-33-repro.cbor" => CcaToken::decode(bytes).into(),
        ("cca-rust", "cbor") => {
            let key = jwk_key(&dir.join("cca-rust/cpak.json"));
            CcaToken::decode(bytes).and_then(|token| verified_cca(token, &key)).into()
        }
        ("cca-go-platform", "cbor") => CcaPlatformClaims::decode(bytes).into(),
        ("cca-go-realm", "cbor") => CcaRealmClaims::decode(bytes).into(),
        ("cca-go-platform-json", "json") => CcaPlatformClaims::decode(&named(&json(), &PLATFORM)).into(),
        ("cca-go-realm-json", "json") => CcaRealmClaims::decode(&named(&json(), &REALM)).into(),
        ("veraison-scheme-parsec-cca", "cbor") => parsec_cca(bytes).into(),
        ("veraison-scheme-parsec-tpm", "cbor") => ParsecAttestation::decode(bytes).into(),
        ("veraison-scheme-tpm-enacttrust", "token") => EnactTrustToken::decode(bytes).into(),
        ("tpm-quote", "attest") => quote(dir, file, bytes).into(),
        ("measured-component", "cbor") => MeasuredComponent::decode(bytes).map_err(Error::from).into(),
        ("measured-component", "json") => MeasuredComponent::decode_json(bytes).into(),
        ("cmw-draft" | "cmw-made" | "cmw-veraison", "cbor" | "json") => Cmw::decode(bytes).into(),
        ("cmw-veraison", "der") => extension_of(bytes).into(),
        ("ear-draft" | "ear-arc" | "ear-rust", "json") if !file.contains("key.json") => {
            result_json(bytes).into()
        }
        ("ear-draft", "cbor") => ear_cbor::decode(bytes).into(),
        ("ear-made", _) => result_made(dir, bytes).into(),
        ("veraison-integration-results", "json") => results_of_verifier(bytes).into(),
        ("cose-sign1", "json") => Outcome::Other("a vector of COSE, which its crate reads"),
        ("psa-rfc9783", "json" | "bin") | ("veraison-e2e", "json") if is_key(file) => Outcome::Other(KEY),
        ("ear-arc", "json") | ("veraison-integration-keys", "der") => Outcome::Other(KEY),
        ("cca-rust", "json") if matches!(file, "cpak.json" | "pkey.json") => Outcome::Other(KEY),
        ("cca-rust", "json" | "bin") => {
            Outcome::Other("what another verifier stores of keys and reference values")
        }
        ("veraison-e2e" | "veraison-integration-claims" | "veraison-scheme-arm-cca", "json")
        | ("veraison-scheme-tpm-enacttrust", "json") => {
            Outcome::Other("claims in a form of tools, which no specification has")
        }
        ("veraison-scheme-sevsnp", "json") => Outcome::Other("a report of SEV-SNP, which is not read"),
        ("measured-component", "in") => Outcome::Other("a template without the numbers that it needs"),
        ("tpm-quote", "sig" | "pcrs" | "tpmt" | "name") => Outcome::Other("a part of a quote that is judged"),
        _ => Outcome::Unknown,
    }
}

fn claims(bytes: &[u8]) -> Result<Claims, Error> {
    Claims::decode(&mut cbor::Reader::new(&cbor::normalize(bytes, MAX_TOKEN_LEN)?))
}

fn tfm_key(dir: &Path) -> SigningKey {
    let path = dir.join("psa-rfc9783/tfm-es-iak.key.sec1.der.hex");
    SigningKey::from_sec1_der(&testkit::read_hex(&path)).unwrap()
}

fn jwk_key(path: &Path) -> PublicKey {
    jwk::decode(&Value::parse(&std::fs::read(path).unwrap()).unwrap()).unwrap()
}

/// One key for every token, whatever it says of itself.
struct OneKey(PublicKey);

impl TokenKeys for OneKey {
    fn verify(&self, _: &TokenHint<'_>, check: TokenCheck<'_>) -> Result<(), Error> {
        check((&self.0).into())
    }
}

/// Nobody published the keys of the bundles in the text; that every set has its digest is seen without them.
fn bundle_of_rfc(bytes: &[u8]) -> Result<(), Error> {
    let bundle = Bundle::decode(bytes)?;
    let main = bundle.main()?;
    for (name, set) in bundle.sets() {
        let Some(Submodule::Detached(digest)) = main.unverified().submods.get(name) else {
            return Err(Distrust::UncoveredSet.into());
        };
        if !digest.matches(set) {
            return Err(Distrust::DetachedDigest.into());
        }
    }
    Ok(())
}

fn eat_made(dir: &Path, file: &str, bytes: &[u8]) -> Result<VerifiedToken, Error> {
    let keys = OneKey(tfm_key(dir).public_key().clone());
    let sent = Nonce::new(&core::array::from_fn::<u8, 32, _>(|at| at as u8)).unwrap();
    if bytes.starts_with(&[0xd9, 0x02, 0x5a]) {
        return Bundle::decode(bytes)?.verify_all(&keys, &sent);
    }
    let token = Token::decode(bytes)?;
    // These were made for other sessions.
    let expected = match file {
        "ok-nonce-array2.cbor" | "nonpreferred-ints.cbor" | "indefinite-map.cbor" => {
            token.unverified().nonces[0].clone()
        }
        _ => sent,
    };
    token.verify_all(&keys, &expected)
}

fn verified(token: PsaToken, key: &PublicKey) -> Result<VerifiedPsaToken, Error> {
    let sent = token.unverified().nonce.clone();
    token.verify(key, &sent)
}

fn verified_cca(token: CcaToken, key: &PublicKey) -> Result<VerifiedCcaToken, Error> {
    let sent = token.unverified_realm().challenge.clone();
    token.verify(key, &sent)
}

fn psa_of_rfc(dir: &Path, file: &str, bytes: &[u8]) -> Result<(), Error> {
    if file == "psa-token.cbor" {
        return PsaClaims::decode(bytes).map(drop);
    }
    let token = PsaToken::decode(bytes)?;
    let sent = token.unverified().nonce.clone();
    if token.form() == TokenForm::Mac0 {
        let secret = std::fs::read(dir.join("psa-rfc9783/tfm-hs-iak.bin")).unwrap();
        let key = MacKey::new(HashAlgorithm::Sha256, &secret).unwrap();
        return token.verify(&key, &sent).map(drop);
    }
    verified(token, tfm_key(dir).public_key()).map(drop)
}

/// The key of the tokens with a MAC was not published.
fn tfm(dir: &Path, file: &str, bytes: &[u8]) -> Result<(), Error> {
    let token = PsaToken::decode(bytes)?;
    if file == "psa-iot-1_sign1.bin" {
        let key = testkit::read_hex(&dir.join("psa-tfm/key.key.sec1.der.hex"));
        let key = SigningKey::from_sec1_der(&key).unwrap();
        return verified(token, key.public_key()).map(drop);
    }
    Ok(())
}

/// Members of the JSON that tools make tokens from, with the labels they stand for. No specification has that form.
type Names = [(&'static str, i64)];

const PSA_2: [(&str, i64); 12] = [
    ("eat-profile", labels::PROFILE),
    ("psa-client-id", labels::PSA_CLIENT_ID),
    ("psa-security-lifecycle", labels::PSA_LIFECYCLE),
    ("psa-implementation-id", labels::PSA_IMPLEMENTATION_ID),
    ("psa-boot-seed", labels::PSA_OLD_BOOT_SEED),
    ("psa-certification-reference", labels::PSA_CERTIFICATION),
    ("psa-software-components", labels::PSA_COMPONENTS),
    ("psa-nonce", labels::NONCE),
    ("psa-instance-id", labels::UEID),
    ("psa-verification-service-indicator", labels::PSA_SERVICE),
    ("measurement-value", labels::COMPONENT_VALUE),
    ("signer-id", labels::COMPONENT_SIGNER),
];

const IOT_1: [(&str, i64); 12] = [
    ("psa-profile", labels::IOT_PROFILE),
    ("psa-client-id", labels::IOT_CLIENT_ID),
    ("psa-security-lifecycle", labels::IOT_LIFECYCLE),
    ("psa-implementation-id", labels::IOT_IMPLEMENTATION_ID),
    ("psa-boot-seed", labels::IOT_BOOT_SEED),
    ("psa-hwver", labels::IOT_HARDWARE_VERSION),
    ("psa-software-components", labels::IOT_COMPONENTS),
    ("psa-nonce", labels::IOT_NONCE),
    ("psa-instance-id", labels::IOT_INSTANCE_ID),
    ("psa-verification-service-indicator", labels::IOT_SERVICE),
    ("measurement-value", labels::COMPONENT_VALUE),
    ("signer-id", labels::COMPONENT_SIGNER),
];

const PLATFORM: [(&str, i64); 11] = [
    ("cca-platform-profile", labels::PROFILE),
    ("cca-platform-challenge", labels::NONCE),
    ("cca-platform-implementation-id", labels::PSA_IMPLEMENTATION_ID),
    ("cca-platform-instance-id", labels::UEID),
    ("cca-platform-config", labels::CCA_CONFIG),
    ("cca-platform-lifecycle", labels::PSA_LIFECYCLE),
    ("cca-platform-sw-components", labels::PSA_COMPONENTS),
    ("cca-platform-service-indicator", labels::PSA_SERVICE),
    ("cca-platform-hash-algo-id", labels::CCA_HASH_ALGORITHM),
    ("measurement-value", labels::COMPONENT_VALUE),
    ("signer-id", labels::COMPONENT_SIGNER),
];

const REALM: [(&str, i64); 7] = [
    ("cca-realm-challenge", labels::NONCE),
    ("cca-realm-personalization-value", labels::REALM_PERSONALISATION),
    ("cca-realm-initial-measurement", labels::REALM_INITIAL),
    ("cca-realm-extensible-measurements", labels::REALM_EXTENSIBLE),
    ("cca-realm-hash-algo-id", labels::REALM_HASH_ALGORITHM),
    ("cca-realm-public-key", labels::REALM_PUBLIC_KEY),
    ("cca-realm-public-key-hash-algo-id", labels::REALM_KEY_HASH_ALGORITHM),
];

fn psa_claims(value: &Value) -> Vec<u8> {
    let first = value.get("psa-profile").and_then(Value::as_text) == Some("PSA_IOT_PROFILE_1");
    if first { named(value, &IOT_1) } else { named(value, &PSA_2) }
}

/// Encodes members under their labels; texts in base64 with padding become bytes, except those that are texts.
fn named(value: &Value, names: &Names) -> Vec<u8> {
    let mut map = MapBuilder::new();
    for (name, value) in value.as_object().unwrap() {
        if let Some((_, label)) = names.iter().find(|(known, _)| known == name) {
            map.int(*label, |w| write(name, value, names, w));
        }
    }
    map.into_bytes()
}

fn write(name: &str, value: &Value, names: &Names, writer: &mut Writer) {
    let is_text = ["profile", "reference", "indicator", "hwver", "algo-id", "type"]
        .iter()
        .any(|end| name.ends_with(end));
    match value {
        Value::Text(text) if is_text => _ = writer.text(text),
        Value::Text(text) => {
            let plain = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
            match base64url::decode(&plain) {
                Some(bytes) => _ = writer.bytes(&bytes),
                None => _ = writer.text(text),
            }
        }
        Value::Array(items) => {
            writer.array(items.len());
            items.iter().for_each(|item| write(name, item, names, writer));
        }
        Value::Object(_) => _ = writer.raw(&named(value, names)),
        number => _ = writer.int(number.as_int().unwrap()),
    }
}

/// A key's claims that only the token beside them protects, and a CCA token.
fn parsec_cca(bytes: &[u8]) -> Result<(), Error> {
    let mut reader = cbor::Reader::with_order(bytes, cbor::Order::Unique);
    let mut map = reader.map()?;
    while let Some(key) = map.next(&mut reader)? {
        let part = reader.raw()?;
        match key {
            cbor::Key::Text("kat") => _ = UnprotectedClaims::decode(part)?,
            _ => _ = CcaToken::decode(part)?,
        }
    }
    Ok(())
}

fn quote(dir: &Path, file: &str, attest: &[u8]) -> Result<(), Error> {
    let folder = dir.join("tpm-quote");
    let stem = file.strip_suffix(".attest").unwrap();
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let public = TpmPublic::decode(&read("ak-ecc.tpmt"))?;
    assert_eq!(public.name(), read("ak-ecc.name"));
    let quote = TpmQuote::decode(attest, &read(&format!("{stem}.sig")))?;
    let (bank, pcrs): (_, &[u8]) = match stem {
        "quote-ecc-sha256-0" => (HashAlgorithm::Sha256, &[0]),
        "quote-ecc-sha384-0-7" => (HashAlgorithm::Sha384, &[0, 7]),
        _ => (HashAlgorithm::Sha256, &[0, 4, 7, 10]),
    };
    let mut values = PcrValues::new();
    let bytes = read(&format!("{stem}.pcrs"));
    for (pcr, value) in pcrs.iter().zip(bytes.chunks(bank.len())) {
        values.insert(*pcr, Digest::new(bank, value).unwrap());
    }
    let sent = testkit::hex(&"00112233445566778899aabbccddeeff".repeat(2));
    let sent = Nonce::new(&sent).unwrap();
    let wanted = [PcrSelection::new(bank, pcrs)];
    let refused = quote.clone().verify(public.attestation_key()?, &nonce(1), &wanted, &values);
    assert_eq!(refused, Err(Distrust::Nonce.into()));
    quote.verify(public.attestation_key()?, &sent, &wanted, &values).map(drop)
}

fn extension_of(certificate: &[u8]) -> Result<Cmw, Error> {
    let certificate = x509::Certificate::decode(certificate).unwrap();
    let cmw = |extension: &&x509::Extension| extension.id.to_string() == "1.3.6.1.5.5.7.1.35";
    Cmw::decode_extension(&certificate.extensions().iter().find(cmw).unwrap().value)
}

fn result_json(bytes: &[u8]) -> Result<AttestationResult, Error> {
    let result = ear_json::decode(bytes)?;
    let again = ear_json::encode(&result).expect("came in JSON");
    assert_eq!(ear_json::decode(again.as_bytes()).as_ref(), Ok(&result));
    Ok(result)
}

fn result_made(dir: &Path, bytes: &[u8]) -> Result<(), Error> {
    let anchor = TrustAnchor::new(tfm_key(dir).public_key().clone(), Purpose::Result, "made");
    let signed = SignedResult::decode(bytes)?;
    signed.verify(&TrustAnchors::new(vec![anchor]), 1_780_000_100, None).map(drop)
}

/// The files hold the submods alone.
fn results_of_verifier(bytes: &[u8]) -> Result<AttestationResult, Error> {
    let submods = core::str::from_utf8(bytes).unwrap();
    let head = r#"{"eat_profile":"tag:github.com,2023:veraison/ear","iat":1"#;
    let verifier = r#""ear.verifier-id":{"developer":"d","build":"b"}"#;
    result_json(format!(r#"{head},{verifier},"submods":{submods}}}"#).as_bytes())
}
