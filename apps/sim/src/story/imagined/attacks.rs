//! Step 10, over the functions that verify.

use eat::{Evidence, SignedResult};
use trust::{Code, Posture, Reason, Release};

use super::world::{CAMS, LATE, World};
use crate::{
    Error,
    story::{
        Script,
        catalog::Model,
        keys::Signatures,
        steps::{forged_result, swap_mud},
    },
};

/// Step 10.
pub(super) fn attack(world: &mut World, script: &mut Script) -> Result<(), Error> {
    attack_verifier(world, script)?;
    attack_release(world, script)?;
    attack_device(world, script)?;
    attack_references(world, script)
}

fn attack_verifier(world: &mut World, script: &mut Script) -> Result<(), Error> {
    let victim = CAMS[1];
    world.attest(victim)?;
    let (old, fresh) = (world.nonce()?, world.nonce()?);
    let evidence = world.devices[victim].device.evidence(&old);
    let evidence = evidence.map_err(|error| format!("{error:?}")).map_err(Error::object("evidence"))?;
    let replayed = world.judge(victim, &evidence, &fresh)?;
    refused(script, "replayed evidence", Code::ReplayedNonce, &replayed.codes);

    let verified = Evidence::decode(&evidence)
        .and_then(|evidence| evidence.verify(world.devices[victim].key.public_key(), &old));
    let mut claims = verified.map_err(Error::object("evidence"))?.into_claims();
    claims.nonce = fresh.clone();
    let cloned =
        claims.sign(&world.keys.stranger, claims.ueid.as_bytes()).map_err(Error::object("evidence"))?;
    let cloned = world.judge(victim, &cloned, &fresh)?;
    refused(script, "evidence from a cloned id with another key", Code::BadEvidenceSignature, &cloned.codes);
    let posture = world.decide(victim)?.posture;
    script.check(
        "neither moves the device whose name they use",
        posture == Posture::Trusted,
        posture.as_str(),
    );

    let late = &world.devices[LATE];
    let forged = forged_result(&late.ueid, &late.key, &world.new_cam, &world.keys.stranger)?;
    let believed = SignedResult::decode_cwt(&forged)
        .and_then(|signed| signed.verify(&world.anchors, world.now, None).map(drop));
    script.check(
        "a result signed by another key is not believed",
        believed.is_err(),
        believed.err().map_or_else(|| "believed".to_owned(), |error| error.to_string()),
    );
    Ok(())
}

fn attack_release(world: &mut World, script: &mut Script) -> Result<(), Error> {
    let mut version = world.new_cam.version;
    version.sequence += 1;
    let draft = world.keys.draft(version, b"an application")?;
    let swapped = swap_mud(&world.keys, &draft)?;
    for (what, draft, signed, code) in [
        ("a swapped MUD file", &swapped, Signatures::AuthorAndOperator, Code::MudSignerMismatch),
        ("an unsigned manifest", &draft, Signatures::None, Code::UnsignedManifest),
        (
            "a valid signature by an author of other devices",
            &draft,
            Signatures::OtherAuthor,
            Code::AuthorOutOfScope,
        ),
        (
            "the author's signature without the operator's",
            &draft,
            Signatures::Author,
            Code::OperatorSignatureMissing,
        ),
    ] {
        let envelope = world.keys.sign(draft, signed, Model::PorchCam)?;
        let found = Release::accept(&envelope, &world.keys.anchors()?, world.now);
        let codes: Vec<String> =
            found.err().iter().map(|reason: &Reason| reason.code.as_str().to_owned()).collect();
        refused(script, what, code, &codes);
    }
    Ok(())
}

fn attack_device(world: &mut World, script: &mut Script) -> Result<(), Error> {
    let target = CAMS[2];
    let mut version = world.new_cam.version;
    version.sequence += 1;
    let half = world.keys.draft(version, b"an application")?;
    let half = world.keys.sign(&half, Signatures::Author, Model::PorchCam)?;
    let before = world.devices[target].digest();
    for (what, envelope, code) in [
        ("a lower sequence number, on the device", world.cam.envelope.clone(), Code::SequenceTooLow),
        ("the author's signature alone, on the device", half, Code::OperatorSignatureMissing),
    ] {
        let codes: Vec<String> = world.devices[target].install(&envelope).err().into_iter().collect();
        refused(script, what, code, &codes);
    }
    let same = world.devices[target].digest() == before;
    script.check("and what it runs is unchanged", same, before);
    Ok(())
}

fn attack_references(world: &mut World, script: &mut Script) -> Result<(), Error> {
    world.tampered = Some(Reason::new(Code::ReferenceTampered).with("version", world.new_cam.version.number));
    let verdict = world.attest(CAMS[0])?;
    let decision = world.decide(CAMS[0])?;
    refused(script, "an altered expected value", Code::ReferenceTampered, &verdict.codes);
    script.check(
        "its devices are unknown, and reach update only",
        decision.posture == Posture::Unknown && world.reached(CAMS[0])?.is_empty(),
        decision.posture.as_str(),
    );
    world.tampered = None;
    world.attest(CAMS[0])?;
    let posture = world.decide(CAMS[0])?.posture;
    script.check(
        "with the value as it was, they are trusted again",
        posture == Posture::Trusted,
        posture.as_str(),
    );
    Ok(())
}

fn refused(script: &mut Script, what: &str, code: Code, found: &[String]) {
    script.check(format!("{what} is refused: {code}"), found == [code.as_str()], found.join(", "));
}
