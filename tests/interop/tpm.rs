//! Quotes of a real TPM 2.0 in software (`swtpm`), made by `tpm2-tools` and verified here.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crypto::{Digest, HashAlgorithm};
use eat::{
    Distrust, Error, EvidenceView, Nonce, PcrSelection, PcrValues, TpmKey, TpmPublic, TpmQuote,
    VerifiedTpmQuote,
};

/// PCRs that every quote here is of.
const PCRS: [u8; 3] = [0, 4, 7];

/// A TPM of its own for one test, on a socket in a folder that goes with it.
struct Tpm {
    server: Child,
    folder: tempfile::TempDir,
}

impl Tpm {
    /// Starts one, or says aloud that it cannot be had.
    fn start() -> Option<Self> {
        for program in ["swtpm", "tpm2_quote"] {
            let found =
                Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if found.is_err() {
                testkit::skipped(format_args!("no `{program}` to make quotes with (make setup installs it)"));
                return None;
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::create_dir(path("state")).expect("a folder for the state");
        let server = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .args(["--tpmstate", &format!("dir={}", path("state"))])
            .args(["--server", &format!("type=unixio,path={}", path("tpm"))])
            .args(["--ctrl", &format!("type=unixio,path={}", path("tpm.ctrl"))])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("swtpm starts");
        let tpm = Self { server, folder };
        while !tpm.path("tpm").exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(tpm)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a tool against the TPM, and drops what it left in the TPM's memory.
    fn run(&self, tool: &str, arguments: &str) {
        self.tool(tool, arguments);
        self.tool("tpm2_flushcontext", "-t");
    }

    fn tool(&self, tool: &str, arguments: &str) {
        let output = Command::new(tool)
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env("TPM2TOOLS_TCTI", format!("swtpm:path={}", self.path("tpm").display()))
            .output()
            .unwrap_or_else(|e| panic!("{tool}: {e}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{tool} {arguments}: {said}");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Makes an attestation key, `ak.ctx` for tools, and gives its public part.
    fn attestation_key(&self, algorithm: &str, scheme: &str) -> TpmPublic {
        self.run("tpm2_createek", &format!("-c ek.ctx -G {algorithm} -u ek.pub"));
        self.run(
            "tpm2_createak",
            &format!("-C ek.ctx -c ak.ctx -G {algorithm} -g sha256 -s {scheme} -f tss -u ak.pub -n ak.name"),
        );
        let public = TpmPublic::decode(&self.read("ak.pub")).expect("a public key of a TPM");
        assert_eq!(public.name(), self.read("ak.name"), "the TPM gives it the same name");
        public
    }

    fn quote(&self, nonce: &Nonce, pcrs: &str, scheme: &str) -> TpmQuote {
        let nonce: String = nonce.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        self.run(
            "tpm2_quote",
            &format!("-c ak.ctx -l {pcrs} -q {nonce} -g sha256 --scheme {scheme} -m quote -s quote.sig"),
        );
        TpmQuote::decode(&self.read("quote"), &self.read("quote.sig")).expect("a quote")
    }

    /// The values of [`PCRS`] in a bank.
    fn values(&self, bank: HashAlgorithm) -> PcrValues {
        let name = bank.short_name();
        self.run("tpm2_pcrread", &format!("{name}:0,4,7 -o pcrs"));
        let mut values = PcrValues::new();
        for (pcr, value) in PCRS.into_iter().zip(self.read("pcrs").chunks(bank.len())) {
            values.insert(pcr, Digest::new(bank, value).expect("as long as the bank"));
        }
        values
    }

    /// Measures something.
    fn extend(&self, pcr: u8, what: &[u8]) {
        let digest = Digest::of(HashAlgorithm::Sha256, what).to_string();
        self.run("tpm2_pcrextend", &format!("{pcr}:{}", digest.replace(':', "=")));
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        self.server.kill().expect("swtpm is ours to end");
        self.server.wait().expect("swtpm ended");
    }
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
    let public = tpm.attestation_key("ecc", "ecdsa");
    let key = public.attestation_key().expect("restricted, signs, fixed to its TPM");
    tpm.extend(7, b"boot loader");
    let values = tpm.values(HashAlgorithm::Sha256);
    let quote = tpm.quote(&nonce(1), "sha256:0,4,7", "ecdsa");
    let verified = verify(&quote, key, &nonce(1), &values).expect("a good quote");
    let view = EvidenceView::from(&verified);
    assert_eq!(view.items.len(), PCRS.len());
    assert_eq!(view.items[2].digests, [*values.get(HashAlgorithm::Sha256, 7).expect("was read")]);
    assert_eq!(verify(&quote, key, &nonce(2), &values), Err(Distrust::Nonce.into()));

    // The platform changes: yesterday's values are not today's, and yesterday's quote has yesterday's nonce.
    tpm.extend(7, b"root kit");
    let later = tpm.quote(&nonce(2), "sha256:0,4,7", "ecdsa");
    assert_eq!(verify(&later, key, &nonce(2), &values), Err(Distrust::PcrDigest.into()));
    let now = tpm.values(HashAlgorithm::Sha256);
    assert!(verify(&later, key, &nonce(2), &now).is_ok());
    assert_ne!(now, values);
    // Leaving out the PCR that changed, or quoting another bank, is signed as well.
    for pcrs in ["sha256:0,4", "sha384:0,4,7", "sha256:0,4,7,8"] {
        let other = tpm.quote(&nonce(3), pcrs, "ecdsa");
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
    let public = tpm.attestation_key("ecc", "ecdsa");
    let key = public.attestation_key().expect("a key to attest with");
    let quote = tpm.quote(&nonce(1), "sha384:0,4,7", "ecdsa");
    let values = tpm.values(HashAlgorithm::Sha384);
    let wanted = [PcrSelection::new(HashAlgorithm::Sha384, &PCRS)];
    assert!(quote.verify(key, &nonce(1), &wanted, &values).is_ok());
}

#[test]
fn quotes_signed_with_rsa_verify() {
    for scheme in ["rsassa", "rsapss"] {
        let Some(tpm) = Tpm::start() else { return };
        let public = tpm.attestation_key("rsa", scheme);
        let key = public.attestation_key().expect("a key to attest with");
        let values = tpm.values(HashAlgorithm::Sha256);
        let quote = tpm.quote(&nonce(1), "sha256:0,4,7", scheme);
        assert!(verify(&quote, key, &nonce(1), &values).is_ok(), "{scheme}");
        assert_eq!(verify(&quote, key, &nonce(2), &values), Err(Distrust::Nonce.into()));
        // Another key in the same TPM.
        let other = tpm.attestation_key("rsa", scheme);
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
