use std::path::{Path, PathBuf};

use clap::Args;
use cose::MacKey;
use crypto::{Digest, HashAlgorithm, PublicKey};
use suit::{Authority, AuthorityList, AuthorityPolicy, Envelope, Refusal, Role, SharedKeys, Verified};

use crate::{
    clock,
    commands::authority,
    failure::{Answer, Failure},
    files::Input,
    keys::{self, KeyFile},
    legacy::LegacyBelieved,
    node::{Map, Node},
    printer::{Printer, Verdict},
};

/// Say whether a release is to be believed.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The envelope
    file: PathBuf,
    #[command(flatten)]
    believed: Believed,
    #[command(flatten)]
    secrets: Secrets,
    #[command(flatten)]
    legacy: LegacyBelieved,
    /// Accept an envelope that lacks images, as gateways and verifiers get it
    #[arg(long)]
    without_images: bool,
    /// Certificate of an authority that the MUD signer must chain to; repeatable
    #[arg(long = "mud-ca", value_name = "CERT")]
    mud_issuers: Vec<PathBuf>,
}

/// Whose releases are believed.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Believed {
    /// Key that must have signed, in any form: a public key, or a shared HMAC key; every one given must have
    #[arg(long = "key", value_name = "PUB", group = "believed_keys")]
    keys: Vec<PathBuf>,
    /// Authority list of keys and their scopes
    #[arg(long, value_name = "LIST")]
    authorities: Option<PathBuf>,
}

/// What shared keys of an authority list are.
#[derive(Debug, Default, Args)]
pub(crate) struct Secrets {
    /// Shared HMAC key that the authority list names; repeatable
    #[arg(long = "shared-key", value_name = "KEY", requires = "authorities")]
    shared_keys: Vec<PathBuf>,
}

/// The keys that a person named, each of which must have signed.
struct Named {
    public: Vec<PublicKey>,
    /// Shared keys with the identifiers that they state.
    shared: Vec<(Vec<u8>, MacKey)>,
}

impl Named {
    fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let (mut public, mut shared) = (Vec::new(), Vec::new());
        for path in paths {
            let input = Input::read(path)?;
            match MacKey::decode_named(&input.bytes) {
                Ok((key, kid)) => shared.push((kid, key)),
                Err(_) => {
                    public.push(KeyFile::decode(&input.bytes).map_err(|error| error.failure(&input))?.public)
                }
            }
        }
        Ok(Self { public, shared })
    }

    /// A list of these entries and of the shared keys, each under one identifier: that which it states, or else that of
    /// the MAC it is to have made.
    fn list(
        self,
        mut entries: Vec<Authority>,
        authors: u8,
        stated: Option<&[u8]>,
    ) -> Result<AuthorityList, Failure> {
        let policy =
            AuthorityPolicy { authors, shared_keys: !self.shared.is_empty(), ..AuthorityPolicy::default() };
        let mut secrets = Vec::new();
        for (kid, key) in self.shared {
            let kid = match (kid.is_empty(), stated) {
                (true, Some(stated)) => stated.to_vec(),
                (true, None) => b"shared".to_vec(),
                (false, _) => kid,
            };
            entries.push(Authority::shared(key.algorithm(), &kid, "shared key"));
            secrets.push((kid, key));
        }
        let none = |error| Failure::new("these keys make no authority list").because(&error);
        let list = AuthorityList::new(policy, entries).map_err(none)?;
        Ok(list.holding(SharedKeys::new(secrets).map_err(none)?))
    }
}

/// A list from a file, with what its shared keys are.
fn listed(path: &Path, secrets: &Secrets) -> Result<AuthorityList, Failure> {
    let mut keys = Vec::new();
    for path in &secrets.shared_keys {
        let input = Input::read(path)?;
        let (key, kid) = MacKey::decode_named(&input.bytes)
            .map_err(|error| input.failure("not a shared HMAC key", &error))?;
        keys.push((kid, key));
    }
    let keys = SharedKeys::new(keys)
        .map_err(|error| Failure::new("these shared keys are not those of a list").because(&error))?;
    Ok(authority::read(path)?.holding(keys))
}

impl Believed {
    /// Those on an authority list.
    pub(crate) fn listed(authorities: PathBuf) -> Self {
        Self { keys: Vec::new(), authorities: Some(authorities) }
    }

    /// Whose dependencies are believed: those on the list, or of any of the keys.
    pub(crate) fn of_dependencies(&self, secrets: &Secrets) -> Result<AuthorityList, Failure> {
        if let Some(path) = &self.authorities {
            return listed(path, secrets);
        }
        let named = Named::read(&self.keys)?;
        let entry =
            |key: &PublicKey| Authority::new(key.clone(), &[], &keys::short(&thumbprint(key)), Role::Author);
        let entries = named.public.iter().map(entry).collect();
        named.list(entries, 1, None)
    }
}

/// Verifies an envelope with what a person said on the command line.
pub(crate) fn verify<'b>(
    believed: &Believed,
    secrets: &Secrets,
    envelope: &Envelope<'b>,
) -> Result<Result<Verified<'b>, Refusal>, Failure> {
    if let Some(path) = &believed.authorities {
        return Ok(envelope.verify(&listed(path, secrets)?));
    }
    let named = Named::read(&believed.keys)?;
    let keys: Vec<Vec<u8>> = named.public.iter().map(|key| thumbprint(key).as_bytes().to_vec()).collect();
    let stated: Vec<Vec<u8>> = named.shared.iter().map(|(kid, _)| kid.clone()).collect();
    let names = |kid: &[u8]| keys.iter().chain(&stated).any(|known| known == kid);
    Ok(envelope.verify(&list_of(named, envelope)?).map_err(|refusal| match refusal {
        // Every key was tried under this identifier; that none made the signature says nothing about its owner.
        Refusal::BadSignature { kid } if !names(&kid) => Refusal::UnknownSigner { kid: Some(kid) },
        refusal => refusal,
    }))
}

pub(crate) fn run(command: &Verify, printer: &Printer) -> Result<Answer, Failure> {
    if command.legacy.is_on() {
        return Ok(printer.answer(command.legacy.verify(&command.file)?));
    }
    let input = Input::read(&command.file)?;
    let envelope = super::decode(&input)?;
    let verified = match verify(&command.believed, &command.secrets, &envelope)? {
        Ok(verified) => verified,
        Err(refusal) => return Ok(printer.answer(Verdict::no(refusal.code(), &refusal))),
    };
    if let Some(refusal) = check_payloads(&verified, command.without_images) {
        return Ok(printer.answer(refusal));
    }
    let mut facts = facts(&verified);
    if verified.envelope().integrated(trust::MUD_FILE).is_some() {
        let issuers = keys::read_all_certificates(&command.mud_issuers)?;
        match mud_signer(&verified, &issuers) {
            Ok(signer) => facts = facts.with("mud_signed_by", signer),
            Err(reason) => return Ok(printer.answer(Verdict::from(&reason))),
        }
    }
    Ok(printer.answer(Verdict::yes("the release is signed and whole").with(facts)))
}

/// Every integrated payload that the manifest fetches is the image it names.
fn check_payloads(verified: &Verified<'_>, without_images: bool) -> Option<Verdict> {
    for image in verified.images() {
        let Some(uri) = image.uri.filter(|uri| uri.starts_with('#')) else { continue };
        match verified.envelope().integrated(uri) {
            None if without_images => {}
            None => {
                return Some(Verdict::no("payload-missing", format!("the envelope lacks the image {uri}")));
            }
            Some(payload) if !image.digest.matches(payload) => {
                return Some(Verdict::no(
                    "digest-mismatch",
                    format!("the image {uri} does not have the digest of component {}", image.component),
                ));
            }
            Some(_) => {}
        }
    }
    None
}

fn mud_signer(verified: &Verified<'_>, issuers: &[x509::Certificate]) -> Result<String, trust::Reason> {
    let member = |uri| verified.envelope().integrated(uri).unwrap_or_default();
    let Some(binding) = verified.mud() else {
        return Err(trust::Reason::new(trust::Code::MudMissing)
            .with("error", "the envelope carries a MUD file that the manifest does not bind"));
    };
    let (file, signature) = (member(trust::MUD_FILE), member(trust::MUD_SIGNATURE));
    trust::verify_mud(file, signature, &binding.signer, issuers, clock::now())
}

/// What a verified release is.
pub(crate) fn facts(verified: &Verified<'_>) -> Map {
    let signers = verified.signers().into_iter().map(|signer| format!("{} ({})", signer.name, signer.role));
    let images = verified.images();
    let image = |image: &suit::Image<'_>| {
        Map::new()
            .with("component", Node::shown(&image.component))
            .with("digest", Node::shown(image.digest))
            .maybe("size", image.size)
            .maybe("uri", image.uri)
            .maybe("slot", image.slot)
    };
    let tag = verified.coswid().and_then(|bytes| coswid::Tag::decode(bytes).ok());
    let text = verified.text().ok().flatten();
    Map::new()
        .with("manifest_digest", Node::shown(verified.manifest_digest()))
        .with("sequence_number", verified.sequence_number())
        .with("signed_by", Node::list(signers))
        .with("images", images.iter().map(image).collect::<Vec<_>>())
        .maybe(
            "software",
            tag.as_ref().map(|tag| {
                format!(
                    "{} {}",
                    tag.software_name(),
                    tag.version().map(|version| version.text).unwrap_or_default()
                )
            }),
        )
        .maybe("mud_url", verified.mud().map(|mud| mud.url))
        .maybe("text", text.map(|text| crate::show::suit::languages(&text, verified.components())))
}

/// A list on which exactly these keys must have signed. Whatever identifier a signature states for itself, it is the
/// key that counts: every identifier in the envelope is tried with every key.
fn list_of(named: Named, envelope: &Envelope<'_>) -> Result<AuthorityList, Failure> {
    let mut kids: Vec<Vec<u8>> = vec![Vec::new()];
    for block in envelope.signatures() {
        let stated: Vec<Vec<u8>> = match (cose::Sign1::decode(block), cose::Sign::decode(block)) {
            (Ok(message), _) => message.kid().map(<[u8]>::to_vec).into_iter().collect(),
            (_, Ok(message)) => {
                message.signatures().iter().filter_map(|one| one.kid().map(<[u8]>::to_vec)).collect()
            }
            _ => Vec::new(),
        };
        kids.extend(stated.into_iter().filter(|kid| !kids.contains(kid)).collect::<Vec<_>>());
    }
    let entry = |key: &PublicKey, kid: &[u8]| {
        let name = keys::short(&thumbprint(key));
        Authority::new(key.clone(), kid, &name, Role::Author)
    };
    let public = &named.public;
    let entries = public.iter().flat_map(|key| kids.iter().map(move |kid| entry(key, kid))).collect();
    let authors = u8::try_from(named.public.len() + named.shared.len()).unwrap_or(u8::MAX);
    let macs = envelope.signatures().into_iter().filter_map(|block| cose::Mac0::decode(block).ok());
    let stated = macs.filter_map(|mac| mac.kid().map(<[u8]>::to_vec)).next();
    named.list(entries, authors, stated.as_deref())
}

fn thumbprint(key: &PublicKey) -> Digest {
    cose::thumbprint(key, HashAlgorithm::Sha256)
}
