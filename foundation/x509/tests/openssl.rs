//! The same signatures read by another implementation, and its signatures read here. Skipped aloud without `openssl`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crypto::{SignatureAlgorithm, SigningKey};
use sextant_x509 as x509;
use x509::cms::{Detached, SignerPolicy, sign_detached};
use x509::{Certificate, CertificateBuilder, CertificationRequestBuilder, ObjectIdentifier, Validity};

const CONTENT: &[u8] = b"{\"ietf-mud:mud\":\r\n {\"mud-version\": 1}}\n";

/// 2020 to 2120: openssl looks at its clock.
const VALID: Validity = Validity { not_before: 1_577_836_800, not_after: 4_733_510_400 };
const NOW: i64 = 1_800_000_000;

/// Root, authority and signer of one algorithm, and a folder to work in.
struct Workshop {
    folder: tempfile::TempDir,
    key: SigningKey,
    root: Certificate,
    authority: Certificate,
    signer: Certificate,
}

impl Workshop {
    fn open(algorithm: SignatureAlgorithm) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            testkit::skipped(format_args!("no openssl to compare {algorithm} with"));
            return None;
        }
        let key = |n: u8| SigningKey::from_bytes(algorithm, &vec![n; algorithm.secret_len()]).expect("a key");
        let of = |name: &str, key: &SigningKey, n: u8| {
            CertificateBuilder::new(name.parse().expect("a name"), key.public_key(), &[n], VALID)
        };
        let (root_key, authority_key, key) = (key(1), key(2), key(3));
        let root = of("C=DE, O=Maker, CN=Root", &root_key, 1).authority(None).self_signed(&root_key);
        let root = root.expect("a root");
        let authority = of("O=Maker, CN=Authority", &authority_key, 2).authority(Some(0));
        let authority = authority.issued_by(&root, &root_key).expect("an authority");
        let signer = of("O=Maker, CN=MUD signer", &key, 0xfe)
            // id-kp-emailProtection: what openssl wants of whoever signs.
            .extended_key_usage(ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4"))
            .mud_url("https://maker.example/v1.json")
            .issued_by(&authority, &authority_key)
            .expect("a signer");
        let workshop = Self { folder: tempfile::tempdir().expect("a folder"), key, root, authority, signer };
        workshop.write("content", CONTENT);
        workshop.write("key.der", &workshop.key.to_pkcs8_der());
        for (name, certificate) in
            [("root", &workshop.root), ("authority", &workshop.authority), ("signer", &workshop.signer)]
        {
            workshop.write(&format!("{name}.der"), certificate.as_der());
            workshop
                .run(&format!("x509 -inform DER -in {name}.der -out {name}.pem"))
                .expect("our certificate");
        }
        Some(workshop)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).expect("a file");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        let path: &Path = &self.path(name);
        std::fs::read(path).expect("a file")
    }

    /// Runs openssl in the folder; the error is what it said.
    fn run(&self, arguments: &str) -> Result<(), String> {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            .output()
            .expect("openssl was there a moment ago");
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn verify(&self, p7s: &str) -> Result<(), x509::Error> {
        let anchors = [self.root.clone()];
        let policy = SignerPolicy { anchors: &anchors, extra: &[], subject: None, now: NOW };
        let verified = Detached::decode(&self.read(p7s))?.verify(CONTENT, &policy)?;
        assert_eq!(verified.public_key(), self.key.public_key());
        Ok(())
    }
}

#[test]
fn openssl_verifies_our_chains() {
    for algorithm in SignatureAlgorithm::STATELESS {
        let Some(workshop) = Workshop::open(algorithm) else { return };
        let verdict =
            workshop.run("verify -x509_strict -CAfile root.pem -untrusted authority.pem signer.pem");
        assert_eq!(verdict, Ok(()), "{algorithm}");
    }
}

#[test]
fn openssl_verifies_our_requests() {
    for algorithm in SignatureAlgorithm::STATELESS {
        let Some(workshop) = Workshop::open(algorithm) else { return };
        let name = "O=Maker, CN=Device".parse().expect("a name");
        let request = CertificationRequestBuilder::new(name, workshop.key.public_key()).sign(&workshop.key);
        let request = request.expect("a request");
        workshop.write("ours.der", request.as_der());
        workshop.write("ours.pem", request.to_pem().as_bytes());
        // `req -verify` answers in words only; who issues a certificate refuses.
        let issue = "x509 -req -signkey key.der -keyform DER -out issued.pem";
        assert_eq!(workshop.run(&format!("{issue} -inform DER -in ours.der")), Ok(()), "{algorithm}");
        assert_eq!(workshop.run(&format!("{issue} -in ours.pem")), Ok(()), "{algorithm}");
        let mut changed = request.as_der().to_vec();
        let at = changed.windows(6).position(|bytes| bytes == b"Device").expect("the name");
        changed[at] ^= 1;
        workshop.write("changed.der", &changed);
        let refused = workshop.run(&format!("{issue} -inform DER -in changed.der"));
        assert!(refused.is_err_and(|words| words.contains("did not match")), "{algorithm}");
    }
}

#[test]
fn openssl_verifies_our_signatures() {
    for algorithm in [SignatureAlgorithm::Es256, SignatureAlgorithm::Es384] {
        let Some(workshop) = Workshop::open(algorithm) else { return };
        let extra = [workshop.authority.clone()];
        let p7s = sign_detached(CONTENT, &workshop.key, &workshop.signer, &extra, NOW).expect("a signature");
        workshop.write("ours.p7s", &p7s);
        let verify = "cms -verify -binary -inform DER -in ours.p7s -CAfile root.pem -out /dev/null -content";
        assert_eq!(workshop.run(&format!("{verify} content")), Ok(()), "{algorithm}");
        workshop.write("other", b"{}");
        assert!(workshop.run(&format!("{verify} other")).is_err(), "{algorithm}");
        assert_eq!(workshop.verify("ours.p7s"), Ok(()));
    }
}

#[test]
fn we_verify_signatures_of_openssl() {
    for (algorithm, hash) in [(SignatureAlgorithm::Es256, "sha256"), (SignatureAlgorithm::Es384, "sha384")] {
        let Some(workshop) = Workshop::open(algorithm) else { return };
        let sign = format!(
            "cms -sign -binary -md {hash} -signer signer.pem -inkey key.der -keyform DER \
             -certfile authority.pem -in content -outform DER -out"
        );
        for (name, options) in [
            ("plain", ""),
            ("keyid", " -keyid"),
            ("noattr", " -noattr"),
            ("mudtype", " -econtent_type 1.2.840.113549.1.9.16.1.41"),
        ] {
            workshop.run(&format!("{sign} {name}.p7s{options}")).expect("openssl signs");
            assert_eq!(workshop.verify(&format!("{name}.p7s")), Ok(()), "{algorithm} {name}");
        }
        workshop.run(&format!("{sign} embedded.p7s -nodetach")).expect("openssl signs");
        let refusal = x509::Error::Unsupported(x509::Feature::EmbeddedContent);
        assert_eq!(workshop.verify("embedded.p7s"), Err(refusal));
        workshop.run(&format!("{sign} stream.p7s -stream -nodetach")).expect("openssl signs");
        let ber = Detached::decode(&workshop.read("stream.p7s")).map(|_| ());
        assert_eq!(ber, Err(x509::Error::Malformed { at: 0, reason: x509::Malformed::Der }), "BER");
    }
}
