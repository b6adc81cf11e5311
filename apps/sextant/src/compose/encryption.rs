//! Encrypted images: for devices by their public keys, for groups by keys they share (ENC).

use std::path::Path;

use cose::{EncryptBuilder, RecipientAlgorithm, RecipientKey};
use crypto::{ContentAlgorithm, Zeroizing};

use crate::{failure::Failure, files::Input, keys, printer::Printer, profile::Profile};

/// What agreed keys are bound to (ENC, section 6.2).
const SUPPLEMENT: &[u8] = b"SUIT Payload Encryption";

/// Who can decrypt, and how.
#[derive(Debug)]
pub(crate) struct Encryptor {
    algorithm: ContentAlgorithm,
    recipients: Vec<RecipientKey>,
}

/// An encrypted image.
#[derive(Clone, Debug)]
pub(crate) struct Encrypted {
    /// The COSE_Encrypt without its ciphertext.
    pub(crate) info: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
}

impl Encryptor {
    /// Reads the keys of recipients. Private keys are taken for their public parts.
    pub(crate) fn open<P: AsRef<Path>>(
        algorithm: ContentAlgorithm,
        recipients: &[P],
        printer: &Printer,
    ) -> Result<Self, Failure> {
        if recipients.is_empty() {
            return Err(Failure::new("nobody could decrypt").help("name the keys of devices or groups"));
        }
        if !algorithm.is_authenticated() {
            printer.note(format!(
                "{} does not authenticate: the digests of ciphertext and image do, which the manifest checks",
                algorithm.name()
            ));
        }
        let read = |path: &P| {
            let input = Input::read(path.as_ref())?;
            let secret = Zeroizing::new(input.bytes.clone());
            let key = RecipientKey::decode(&secret).map_err(|error| {
                input.failure("not a key to encrypt for", &error).help(
                    "such keys are made by `sextant key new --alg ECDH-ES+A128KW` or `--alg A128KW` and name their algorithm",
                )
            })?;
            if matches!(key.algorithm(), RecipientAlgorithm::KeyWrap(_)) {
                printer.warning(format!(
                    "{}: every device that has this shared key decrypts, and can encrypt for the others",
                    input.name
                ));
            }
            Ok(key)
        };
        Ok(Self { algorithm, recipients: recipients.iter().map(read).collect::<Result<_, Failure>>()? })
    }

    /// Whether cipher and recipients are what a profile asks for.
    pub(crate) fn check_profile(&self, profile: Profile) -> Result<(), Failure> {
        let is = |key: &RecipientKey| key.algorithm() == profile.recipient;
        if self.algorithm == profile.content && self.recipients.iter().all(is) {
            return Ok(());
        }
        Err(Failure::new(format!("cipher or recipients are not of profile {}", profile.name))
            .help(format!("it asks for {}", profile.content.name())))
    }

    /// Encrypts with a fresh key.
    pub(crate) fn encrypt(&self, image: &[u8]) -> Result<Encrypted, Failure> {
        let message = EncryptBuilder::new(self.algorithm).other(SUPPLEMENT);
        let message = self.recipients.iter().fold(message, EncryptBuilder::recipient);
        let (info, ciphertext) =
            keys::with_randomness(|fill| message.encrypt_detached(image, fill), "cannot encrypt")?;
        Ok(Encrypted { info, ciphertext })
    }
}

/// Reads the name of a cipher, whatever its case.
pub(crate) fn cipher(text: &str) -> Result<ContentAlgorithm, String> {
    let found =
        ContentAlgorithm::IN_PIECES.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(text));
    found.ok_or_else(|| {
        let names: Vec<&str> = ContentAlgorithm::IN_PIECES.iter().map(|algorithm| algorithm.name()).collect();
        format!("expected one of {}", names.join(", "))
    })
}
