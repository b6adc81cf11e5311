//! Envelopes of older drafts on the command line: only where somebody asks for them.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use suit::legacy::{
    Conversion, LegacyEnvelope, LegacyError, LegacyKey, LegacyKeys, LegacyVerified, Numbering, PayloadCheck,
};

use crate::{
    detect,
    failure::Failure,
    files::Input,
    keys::{self, KeyFile},
    node::{Map, Node},
    printer::Verdict,
    show,
};

/// Reads an envelope of an older draft.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Legacy {
    /// Read an envelope of an older draft, with the labels that its bytes show or of the draft given: 09, 14, 19, current
    #[arg(long, value_name = "DRAFT", num_args = 0..=1, require_equals = true, default_missing_value = "any")]
    legacy: Option<Table>,
}

/// Reads an envelope of an older draft, and believes it for keys that are named for that alone.
#[derive(Debug, Args)]
pub(crate) struct LegacyBelieved {
    #[command(flatten)]
    legacy: Legacy,
    /// Public key that must have signed an envelope of an older draft; it counts for nothing else. Every one given must
    /// have
    #[arg(long = "legacy-key", value_name = "PUB", group = "Believed", requires = "legacy")]
    legacy_keys: Vec<PathBuf>,
}

/// The table of labels to read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    /// The one that the bytes show.
    Shown,
    Named(Numbering),
}

impl FromStr for Table {
    type Err = suit::legacy::NotANumbering;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "any" { Ok(Self::Shown) } else { text.parse().map(Self::Named) }
    }
}

impl Legacy {
    /// Whether older drafts are asked for.
    pub(crate) fn is_on(self) -> bool {
        self.legacy.is_some()
    }

    /// Decodes an envelope, which nobody vouches for yet.
    pub(crate) fn decode(self, input: &Input) -> Result<LegacyEnvelope<'_>, Failure> {
        let named = match self.legacy {
            Some(Table::Named(numbering)) => Some(numbering),
            Some(Table::Shown) | None => None,
        };
        LegacyEnvelope::decode(&input.bytes, named).map_err(|error| refused_to_read(input, &error))
    }

    /// Reads a file; hexadecimal digits stand for the bytes they name.
    pub(crate) fn read(path: &Path) -> Result<Input, Failure> {
        let input = Input::read(path)?;
        Ok(match detect::hexadecimal(&input.bytes) {
            Some(bytes) => Input { bytes, ..input },
            None => input,
        })
    }

    /// Shows an envelope with every command.
    pub(crate) fn tree(self, path: &Path) -> Result<Map, Failure> {
        let input = Self::read(path)?;
        let envelope = self.decode(&input)?;
        show::legacy::envelope(&envelope).map_err(|error| refused_to_read(&input, &error))
    }

    /// The envelope in the terms of today, with the signatures that the old one claims.
    pub(crate) fn convert(self, input: &Input) -> Result<(LegacyEnvelope<'_>, Conversion), Failure> {
        let envelope = self.decode(input)?;
        let conversion = envelope.convert_unverified().map_err(|error| refused_to_read(input, &error))?;
        Ok((envelope, conversion))
    }
}

/// What cannot be said today, as a failure of a command that needs all of it.
pub(crate) fn without_equivalent(input: &Input, conversion: &Conversion) -> Failure {
    let named: Vec<String> = conversion.without_equivalent().iter().map(ToString::to_string).collect();
    Failure::new(format!("{} cannot be put into the terms of today: {}", input.name, named.join("; ")))
        .help("`sextant suit inspect --legacy` shows it as it is")
}

/// Says of an envelope of an older draft which it looks like, and what reads it.
pub(crate) fn refuse_old(input: &Input) -> Result<(), Failure> {
    let found = LegacyEnvelope::decode(&input.bytes, None).map(|envelope| envelope.numbering());
    match found {
        Ok(numbering) if numbering != Numbering::Current => Err(Failure::new(format!(
            "{}: looks like a SUIT envelope of {numbering} [legacy-draft]",
            input.name
        ))
        .help(
            "`--legacy` reads it in inspect, suit inspect, verify, lint, diff and simulate; devices never do",
        )),
        _ => Ok(()),
    }
}

impl LegacyBelieved {
    /// Whether older drafts are asked for.
    pub(crate) fn is_on(&self) -> bool {
        self.legacy.is_on()
    }

    /// Verifies an envelope with the keys that are named for older drafts, and says what it is.
    pub(crate) fn verify(&self, path: &Path) -> Result<Verdict, Failure> {
        let input = Legacy::read(path)?;
        let envelope = self.legacy.decode(&input)?;
        let verified = match self.believe(&envelope)? {
            Ok(verified) => verified,
            Err(refusal) => return Ok(refusal),
        };
        let mut transformed = Vec::new();
        for (payload, check) in verified.payloads() {
            match check {
                PayloadCheck::Named => {}
                PayloadCheck::Transformed => transformed.push(payload.uri.clone()),
                PayloadCheck::Unnamed => {
                    let message =
                        format!("the payload {} has no digest that the manifest gives", payload.uri);
                    return Ok(Verdict::no("digest-mismatch", message));
                }
            }
        }
        let manifest = verified.manifest();
        let facts = Map::new()
            .with("drafts", Node::shown(envelope.numbering()))
            .with("manifest_digest", Node::shown(verified.manifest_digest()))
            .with("sequence_number", manifest.sequence_number())
            .with("components", Node::list(manifest.components()))
            .with("signed_by", Node::list(verified.signers()))
            .unless_empty("payloads_not_checked", Node::list(transformed))
            .unless_empty("without_equivalent", show::legacy::without_equivalent(&verified.conversion()));
        Ok(Verdict::yes("the envelope is signed and whole; devices here do not take its draft").with(facts))
    }

    /// The envelope in the terms of today, after the keys that are named for older drafts vouched for the old one. It
    /// is signed by nobody.
    pub(crate) fn verified_conversion(&self, path: &Path) -> Result<Result<Vec<u8>, Verdict>, Failure> {
        let input = Legacy::read(path)?;
        let envelope = self.legacy.decode(&input)?;
        let conversion = match self.believe(&envelope)? {
            Ok(verified) => verified.conversion(),
            Err(refusal) => return Ok(Err(refusal)),
        };
        match conversion.envelope() {
            Some(bytes) => Ok(Ok(bytes.to_vec())),
            None => Err(without_equivalent(&input, &conversion)),
        }
    }

    fn believe<'b>(
        &self,
        envelope: &LegacyEnvelope<'b>,
    ) -> Result<Result<LegacyVerified<'b>, Verdict>, Failure> {
        if self.legacy_keys.is_empty() {
            return Err(Failure::new("no key is named for older drafts").help(
                "`--legacy-key` names them; other keys and authority lists speak for drafts of today alone",
            ));
        }
        let named = KeyFile::read_public(&self.legacy_keys)?.into_iter().map(|key| {
            let name = keys::short(&cose::thumbprint(&key, crypto::HashAlgorithm::Sha256));
            LegacyKey { key, kid: Vec::new(), name }
        });
        let keys = LegacyKeys::new(named.collect())
            .ok_or_else(|| Failure::new("these are too many keys, or one of them is given twice"))?;
        Ok(envelope.verify(&keys).map_err(|refusal| Verdict::no(refusal.code(), &refusal)))
    }
}

fn refused_to_read(input: &Input, error: &LegacyError) -> Failure {
    let what = format!("not a SUIT envelope that is understood [{}]", error.code());
    input.failure(&what, error).at(&input.bytes, Some(error.at()))
}
