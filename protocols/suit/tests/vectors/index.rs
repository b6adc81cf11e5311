//! Every envelope of the index, held to what the index says of it, whatever it is called.

use std::path::Path;

use cose::{DecryptionKey, DecryptionKeys};
use sextant_suit::{
    Envelope, FailureKind, Installed, ManifestBuilder, PlatformError, Procedure, Processor, Refusal,
    Severable, Verified,
};
use testkit::{Class, SuitVector, Verdict, read_vector};

use crate::authorities;
use crate::fitting::device;
use crate::support::Device;

#[test]
fn every_envelope_behaves_as_the_index_says() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let (vectors, others) = testkit::suit_vectors(&folder);
    let bench = Bench { authorities: authorities(&folder), folder: &folder };
    let mut faults = Vec::new();
    for vector in &vectors {
        let outcome = vector.verdict().and_then(|verdict| Ok((verdict, bench.check(vector, verdict)?)));
        match outcome {
            Ok((verdict, found)) => eprintln!("{}: {verdict:?}: {found}", vector.name),
            Err(fault) => faults.push(format!("{}: {fault}", vector.name)),
        }
    }
    eprintln!(
        "suit vectors: {} envelopes, {} as the index says; {others} files of other kinds passed over",
        vectors.len(),
        vectors.len() - faults.len()
    );
    assert!(!vectors.is_empty() && faults.is_empty(), "{} rows differ:\n{}", faults.len(), faults.join("\n"));
}

/// Whom the published keys make believed, and what they decrypt.
struct Bench<'f> {
    authorities: sextant_suit::AuthorityList,
    folder: &'f Path,
}

/// Why something was not taken.
struct NotTaken {
    reason: String,
    code: &'static str,
}

impl Bench<'_> {
    /// What was found, or in what it differs from the verdict.
    fn check(&self, vector: &SuitVector, verdict: Verdict) -> Result<String, String> {
        match verdict {
            Verdict::Accept => self.accepts(&vector.bytes, None),
            Verdict::AcceptUpTo(most) => self.accepts(&vector.bytes, Some(most)),
            Verdict::Believe => self.believes(&vector.bytes).map(|_| "believed".into()),
            Verdict::Wait => self.waits(&vector.bytes),
            Verdict::Refuse(class) => self.refuses(&vector.bytes, class),
            Verdict::Unsigned => self.reads(&vector.bytes, &Refusal::Unsigned),
            Verdict::Mac => self.reads(&vector.bytes, &Refusal::UnsupportedAuthentication),
            Verdict::OlderDraft => self.knows_old(&vector.bytes),
        }
    }

    fn believes<'b>(&self, bytes: &'b [u8]) -> Result<Verified<'b>, String> {
        let envelope = Envelope::decode(bytes).map_err(|error| format!("is not read: {error}"))?;
        let verified =
            envelope.verify(&self.authorities).map_err(|refusal| format!("is refused: {refusal}"))?;
        rebuilds(&envelope)?;
        if verified.keep().open() != verified {
            return Err("is another manifest when it was kept".into());
        }
        Ok(verified)
    }

    fn device(&self, verified: &Verified<'_>) -> Device {
        let mut device = device(verified);
        device.authorities = Some(self.authorities.clone());
        device.keys = Some(decryption_keys(self.folder));
        device.abilities.decryption = true;
        device.abilities.references = true;
        device
    }

    /// Taken to the end where nothing newer is installed, and refused where something is.
    fn accepts(&self, bytes: &[u8], most: Option<u64>) -> Result<String, String> {
        let verified = self.believes(bytes)?;
        let mut device = self.device(&verified);
        let number = verified.sequence_number();
        let most = most.unwrap_or(number);
        // That of another manifest with the same number is not taken again.
        let manifest_digest = Some(verified.manifest_digest());
        device.installed = Some(Installed { sequence_number: most, manifest_digest });
        let mut processor = Processor::new(&verified, &mut device)
            .map_err(|refusal| format!("is not admitted: {refusal}"))?;
        let report =
            processor.run(Procedure::Update).map_err(|failure| format!("is not taken: {failure}"))?;
        if !report.is_success() {
            return Err("the report tells no success".into());
        }
        device.installed = Some(Installed { sequence_number: most + 1, manifest_digest: None });
        match Processor::new(&verified, &mut device).map(|_| ()) {
            Err(Refusal::SequenceTooLow { .. }) => Ok(format!("taken, and refused above {most}")),
            other => Err(format!("not refused as old where {} is installed: {other:?}", most + 1)),
        }
    }

    fn waits(&self, bytes: &[u8]) -> Result<String, String> {
        let verified = self.believes(bytes)?;
        let mut unready = self.device(&verified);
        (unready.now, unready.network, unready.power, unready.authorized_up_to) = (None, None, None, None);
        unready.others.clear();
        let mut processor = Processor::new(&verified, &mut unready)
            .map_err(|refusal| format!("is not admitted: {refusal}"))?;
        let outcome = processor.run(Procedure::Update).map(|_| ()).map_err(|failure| failure.kind);
        if outcome != Err(FailureKind::Platform(PlatformError::NotReady)) || !unready.log.is_empty() {
            return Err(format!("does not wait, but {outcome:?} after {:?}", unready.log));
        }
        let mut ready = self.device(&verified);
        let mut processor =
            Processor::new(&verified, &mut ready).map_err(|refusal| format!("is not admitted: {refusal}"))?;
        processor.run(Procedure::Update).map_err(|failure| format!("not taken when it may be: {failure}"))?;
        Ok("waits, and is taken then".into())
    }

    fn refuses(&self, bytes: &[u8], class: Class) -> Result<String, String> {
        let Err(NotTaken { reason, code }) = self.takes(bytes) else {
            return Err("is taken to the end".into());
        };
        let fits = match class {
            Class::Any | Class::Late => true,
            Class::Reason(wanted) => reason == wanted,
            Class::ManifestVersion => code == "unsupported-manifest-version",
        };
        if fits { Ok(format!("{code} ({reason})")) } else { Err(format!("is refused as {code} ({reason})")) }
    }

    /// Goes as far as it can be gone, through every procedure.
    fn takes(&self, bytes: &[u8]) -> Result<(), NotTaken> {
        let malformed = |error: sextant_suit::Error| NotTaken::new(error.reason(), error.code());
        let refused = |refusal: Refusal| NotTaken::new(refusal.reason(), refusal.code());
        let envelope = Envelope::decode(bytes).map_err(malformed)?;
        let verified = envelope.verify(&self.authorities).map_err(refused)?;
        // One after another on one device, so that what the last one finds is what the first one left.
        let mut device = self.device(&verified);
        let mut processor = Processor::new(&verified, &mut device).map_err(refused)?;
        for procedure in [Procedure::Update, Procedure::Invocation, Procedure::Uninstallation] {
            processor.run(procedure).map_err(|it| NotTaken::new(it.kind.reason(), it.kind.code()))?;
        }
        Ok(())
    }

    fn reads(&self, bytes: &[u8], refusal: &Refusal) -> Result<String, String> {
        let envelope = Envelope::decode(bytes).map_err(|error| format!("is not read: {error}"))?;
        rebuilds(&envelope)?;
        match envelope.verify(&self.authorities) {
            Err(found) if found == *refusal => Ok(format!("read, and refused as {}", found.code())),
            other => Err(format!("is not refused as {}: {:?}", refusal.code(), other.map(|_| ()))),
        }
    }

    fn knows_old(&self, bytes: &[u8]) -> Result<String, String> {
        // Those that nobody signed are refused for that first, and must be unreadable too.
        let outcome = Envelope::decode(bytes).and_then(|envelope| match envelope.verify(&self.authorities) {
            Ok(_) => Ok(()),
            Err(Refusal::Manifest(error)) => Err(error),
            Err(_) => envelope.manifest_unverified().map(|_| ()),
        });
        match outcome {
            Err(error) if error.code() == "legacy-draft" => {}
            other => return Err(format!("is not told from today's drafts: {other:?}")),
        }
        let old = sextant_suit::legacy::LegacyEnvelope::decode(bytes, None);
        let old = old.and_then(|envelope| envelope.manifest_unverified().map(|_| envelope.numbering()));
        old.map(|numbering| format!("refused, and read as {numbering:?}"))
            .map_err(|error| format!("is not read as an older draft: {error}"))
    }
}

impl NotTaken {
    fn new(reason: sextant_suit::Reason, code: &'static str) -> Self {
        Self { reason: reason.to_string(), code }
    }
}

/// Every published key that decrypts.
fn decryption_keys(folder: &Path) -> DecryptionKeys {
    let mut keys = DecryptionKeys::default();
    for entry in std::fs::read_dir(folder.join("keys")).expect("the folder of keys") {
        let path = entry.expect("an entry").path();
        if path.to_string_lossy().contains(".cosekey.")
            && let Ok(key) = DecryptionKey::decode(&read_vector(&path))
        {
            keys.push(key);
        }
    }
    keys
}

/// What was decoded, written again, gives the same bytes.
fn rebuilds(envelope: &Envelope<'_>) -> Result<(), String> {
    let manifest = envelope.manifest_unverified().map_err(|error| format!("is not read: {error}"))?;
    let lacks = |member: &Severable| {
        manifest.has(*member) && !envelope.severed_members().any(|other| other == *member)
    };
    let is_digest_only = |member: &Severable| match member {
        Severable::Coswid => manifest.coswid().is_some_and(|held| held.value().is_none()),
        Severable::Text => manifest.text().is_some_and(|held| held.value().is_none()),
        _ => manifest.sections().any(|(s, held)| s.severable() == Some(*member) && held.value().is_none()),
    };
    if Severable::ALL.iter().any(|member| lacks(member) && is_digest_only(member)) {
        // A member of which only the digest is here cannot be written again.
        return Ok(());
    }
    let claimed = envelope.manifest_digest_claimed();
    let rebuilt = ManifestBuilder::from(&manifest).build(claimed.algorithm());
    let rebuilt = rebuilt.map_err(|error| format!("cannot be written again: {error}"))?;
    if rebuilt.manifest_digest() != claimed {
        return Err("is other bytes when it is written again".into());
    }
    Ok(())
}
