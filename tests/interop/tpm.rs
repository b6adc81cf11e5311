//! Quotes of a real TPM 2.0 in software (`swtpm`), made by `tpm2-tools` and verified here.

use crypto::{Digest, HashAlgorithm};
use eat::{
    Distrust, Error, EvidenceView, Nonce, PcrSelection, PcrValues, TpmKey, TpmPublic, TpmQuote,
    VerifiedTpmQuote,
};
use testkit::Tpm;

/// PCRs that every quote here is of.
const PCRS: [u8; 3] = [0, 4, 7];

/// Makes an attestation key and gives its public part.
fn attestation_key(tpm: &Tpm, algorithm: &str, scheme: &str) -> TpmPublic {
    tpm.attestation_key("ak", algorithm, scheme);
    let public = TpmPublic::decode(&tpm.read("ak.pub")).expect("a public key of a TPM");
    assert_eq!(public.name(), tpm.read("ak.name"), "the TPM gives it the same name");
    public
}

fn quoted(tpm: &Tpm, nonce: &Nonce, pcrs: &str, scheme: &str) -> TpmQuote {
    tpm.quote("ak", nonce.as_bytes(), pcrs, scheme);
    let quote = TpmQuote::decode(&tpm.read("quote"), &tpm.read("quote.sig")).expect("a quote");
    assert_eq!(quote.unverified().qualified_signer, tpm.read("ak.qname"));
    quote
}

/// The values of [`PCRS`] in a bank.
fn pcr_values(tpm: &Tpm, bank: HashAlgorithm) -> PcrValues {
    let bytes = tpm.values(&format!("{}:0,4,7", bank.short_name()));
    PcrValues::in_order(&[PcrSelection::new(bank, &PCRS)], &bytes).expect("as long as the bank")
}

/// Measures something.
fn extend(tpm: &Tpm, pcr: u8, what: &[u8]) {
    let digest = Digest::of(HashAlgorithm::Sha256, what).to_string();
    tpm.extend(pcr, digest.trim_start_matches("sha256:"));
}

fn nonce(byte: u8) -> Nonce {
    Nonce::new(&[byte; 32]).expect("a nonce")
}

fn verify(
    quote: &TpmQuote,
    key: &TpmKey,
    nonce: &Nonce,
    values: &PcrValues,
) -> Result<VerifiedTpmQuote, Error> {
    quote.clone().verify(key, nonce, &[PcrSelection::new(HashAlgorithm::Sha256, &PCRS)], values)
}

#[test]
fn a_quote_of_a_tpm_verifies_and_no_other_does() {
    let Some(tpm) = Tpm::start() else { return };
    let public = attestation_key(&tpm, "ecc", "ecdsa");
    let key = public.attestation_key().expect("restricted, signs, fixed to its TPM");
    extend(&tpm, 7, b"boot loader");
    let values = pcr_values(&tpm, HashAlgorithm::Sha256);
    let quote = quoted(&tpm, &nonce(1), "sha256:0,4,7", "ecdsa");
    let verified = verify(&quote, key, &nonce(1), &values).expect("a good quote");
    let view = EvidenceView::from(&verified);
    assert_eq!(view.items.len(), PCRS.len());
    assert_eq!(view.items[2].digests, [*values.get(HashAlgorithm::Sha256, 7).expect("was read")]);
    assert_eq!(verify(&quote, key, &nonce(2), &values), Err(Distrust::Nonce.into()));

    // The platform changes: yesterday's values are not today's, and yesterday's quote has yesterday's nonce.
    extend(&tpm, 7, b"root kit");
    let later = quoted(&tpm, &nonce(2), "sha256:0,4,7", "ecdsa");
    assert_eq!(verify(&later, key, &nonce(2), &values), Err(Distrust::PcrDigest.into()));
    let now = pcr_values(&tpm, HashAlgorithm::Sha256);
    assert!(verify(&later, key, &nonce(2), &now).is_ok());
    assert_ne!(now, values);
    // Leaving out the PCR that changed, or quoting another bank, is signed as well.
    for pcrs in ["sha256:0,4", "sha384:0,4,7", "sha256:0,4,7,8"] {
        let other = quoted(&tpm, &nonce(3), pcrs, "ecdsa");
        assert_eq!(verify(&other, key, &nonce(3), &values), Err(Distrust::PcrSelection.into()), "{pcrs}");
    }
    // What else the key signs is no quote.
    tpm.run("tpm2_gettime", "-c ak.ctx -q 0102030405060708 --attestation time -o time.sig");
    let time = TpmQuote::decode(&tpm.read("time"), &tpm.read("time.sig"));
    assert_eq!(time, Err(Distrust::TpmType.into()));
    assert_eq!(verified.clock().reset_count, later.unverified().clock.reset_count, "no boot in between");
}

#[test]
fn quotes_of_another_bank_verify_by_the_hash_of_the_signature() {
    let Some(tpm) = Tpm::start() else { return };
    let public = attestation_key(&tpm, "ecc", "ecdsa");
    let key = public.attestation_key().expect("a key to attest with");
    let quote = quoted(&tpm, &nonce(1), "sha384:0,4,7", "ecdsa");
    let values = pcr_values(&tpm, HashAlgorithm::Sha384);
    let wanted = [PcrSelection::new(HashAlgorithm::Sha384, &PCRS)];
    assert!(quote.verify(key, &nonce(1), &wanted, &values).is_ok());
}

#[test]
fn quotes_signed_with_rsa_verify() {
    for scheme in ["rsassa", "rsapss"] {
        let Some(tpm) = Tpm::start() else { return };
        let public = attestation_key(&tpm, "rsa", scheme);
        let key = public.attestation_key().expect("a key to attest with");
        let values = pcr_values(&tpm, HashAlgorithm::Sha256);
        let quote = quoted(&tpm, &nonce(1), "sha256:0,4,7", scheme);
        assert!(verify(&quote, key, &nonce(1), &values).is_ok(), "{scheme}");
        assert_eq!(verify(&quote, key, &nonce(2), &values), Err(Distrust::Nonce.into()));
        // Another key in the same TPM.
        let other = attestation_key(&tpm, "rsa", scheme);
        assert!(matches!(verify(&quote, other.key(), &nonce(1), &values), Err(Error::Signature(_))));
    }
}

#[test]
fn a_key_that_signs_anything_is_no_attestation_key() {
    let Some(tpm) = Tpm::start() else { return };
    tpm.run(
        "tpm2_createprimary",
        "-C o -G ecc256:ecdsa -a fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign -c any.ctx",
    );
    tpm.run("tpm2_readpublic", "-c any.ctx -f tss -o any.pub");
    let public = TpmPublic::decode(&tpm.read("any.pub")).expect("a public key of a TPM");
    assert_eq!(public.attestation_key(), Err(Distrust::KeyAttributes.into()));
    // A TPM lets it sign all but what begins as the TPM's own does.
    let forged = [[0xfe, 0x54, 0x43, 0x47].as_slice(), &[0x80, 0x18], &[0; 100]].concat();
    assert_eq!(TpmQuote::decode(&forged, &[0; 8]), Err(Distrust::TpmMagic.into()));
}
