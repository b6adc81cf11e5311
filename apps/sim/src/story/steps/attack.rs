//! Step 10: attacks on every hop, each refused with its reason.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use cbor::MapBuilder;
use cose::{Key, Sign1Builder};
use crypto::SigningKey;
use eat::{
    Appraisal, AttestationResult, Category, Evidence, Nonce, SignedResult, Tier, TrustVector, Ueid,
    VerifierId,
};
use trust::{Code, DraftMud, ReleaseDraft, SUBMOD};
use x509::cms;

use crate::{
    Error,
    story::{
        Script,
        catalog::Model,
        keys::{Keys, Published, Signatures, hex, now},
        lab::Lab,
        observe::Judged,
        place::{ADMISSION_PORT, CAMS, Device, GATEWAY, LATE},
    },
};

/// How long an attack is followed until it has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a device may take to be what it was.
const MENDED: Duration = Duration::from_secs(120);
/// external_aad and labels of the message with which a device proves itself to a gateway.
const ADMISSION_CONTEXT: &[u8] = b"sextant-admission";
const ADMISSION_NONCE: i64 = 1;
const ADMISSION_UEID: i64 = 2;
const ADMISSION_RESULT: i64 = 3;
/// Claim of a category that is as it should be.
const AFFIRMED: i8 = 2;

/// Step 10.
pub(super) fn attack(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    attack_verifier(lab, script)?;
    attack_gateway(lab, script)?;
    attack_release(lab, script)?;
    attack_device(lab, script)?;
    attack_database(lab, script)
}

/// Evidence that is not what it should be.
fn attack_verifier(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let [first, second, ..] = lab.group(CAMS)[..] else {
        return Err(Error::object("the lab")("cameras expected"));
    };
    let release = lab.new_cam.digest.clone();
    lab.until_affirmed(&[first, second], &release, MENDED)?;
    let victim = &lab.devices[second];
    let good = lab.affirms(victim, &release)?.map_err(Error::object("the victim"))?;

    let replayed = submit(lab, |_| Ok(good.evidence.clone()))?;
    refused(script, "replayed evidence", Code::ReplayedNonce, &replayed);

    let cloned = submit(lab, |nonce| {
        let mut claims = claims_of(lab, victim, &good)?;
        claims.nonce = nonce.clone();
        claims.sign(&lab.keys.stranger, claims.ueid.as_bytes()).map_err(Error::object("evidence"))
    })?;
    refused(script, "evidence from a cloned id with another key", Code::BadEvidenceSignature, &cloned);
    let unmoved = lab.affirms(&lab.devices[second], &release)?;
    script.check(
        "neither moves the device whose name they use",
        unmoved.is_ok(),
        match unmoved {
            Ok(judged) => judged.to_string(),
            Err(last) => last,
        },
    );
    Ok(())
}

/// What the verifier answered to evidence that it should not believe.
struct Verdict {
    tier: Tier,
    codes: Vec<String>,
    token: bool,
}

fn refused(script: &mut Script, what: &str, code: Code, verdict: &Verdict) {
    let found = verdict.codes.iter().any(|found| found == code.as_str());
    script.check(
        format!("{what} is refused: {code}"),
        found && verdict.tier == Tier::Contraindicated && !verdict.token,
        format!(
            "{} ({}), {} token",
            verdict.tier,
            verdict.codes.join(", "),
            if verdict.token { "a" } else { "no" }
        ),
    );
}

/// Opens a session and hands evidence in, as anybody can.
fn submit(lab: &Lab, evidence: impl FnOnce(&Nonce) -> Result<Vec<u8>, Error>) -> Result<Verdict, Error> {
    let anybody = lab.client.anonymous();
    let (location, session) = anybody.new_session()?;
    let nonce = Nonce::new(&session.nonce.0).ok_or("no nonce").map_err(Error::object("a session"))?;
    let answer: api::Session = anybody.post(&location, api::EVIDENCE, &evidence(&nonce)?)?;
    let result = answer.sextant_result.ok_or("no result").map_err(Error::object("a session"))?;
    let signed = SignedResult::decode_cwt(&result.0).map_err(Error::object("a result"))?;
    let verified = signed.verify(&lab.results, now(), None).map_err(Error::object("a result"))?;
    let reasons =
        verified.appraisal(SUBMOD).map(|appraisal| appraisal.reasons.as_slice()).unwrap_or_default();
    Ok(Verdict {
        tier: verified.tier(),
        codes: reasons.iter().map(|reason| reason.code.clone()).collect(),
        token: answer.device_token.is_some(),
    })
}

/// What a device said in its evidence, for somebody else to say.
fn claims_of(lab: &Lab, device: &Device, judged: &Judged) -> Result<eat::EvidenceClaims, Error> {
    let key = lab.detail(device)?.key;
    let key = Key::decode(&key.0).map_err(Error::object("an enrolled key"))?;
    let evidence = || Evidence::decode(&judged.evidence).map_err(Error::object("evidence"));
    let nonce = evidence()?.nonce().clone();
    let verified = evidence()?.verify(key.public(), &nonce).map_err(Error::object("evidence"))?;
    Ok(verified.into_claims())
}

/// A result that nobody who is trusted signed, given to the gateway by a device that would gain from it.
fn attack_gateway(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let [late] = lab.group(LATE)[..] else {
        return Err(Error::object("the lab")("a forgotten camera expected"));
    };
    let device = &lab.devices[late];
    let key = device_key(device)?;
    let forged = forged_result(&ueid(device)?, &key, &lab.new_cam, &lab.keys.stranger)?;
    let (status, answer) = admit(device, &key, &forged)?;
    script.check(
        format!("a result signed by another key is refused by the gateway: {}", Code::ResultSigner),
        status == 422 && answer.contains(Code::ResultSigner.as_str()),
        format!("{status} {answer}"),
    );
    let reached = lab.reached(device);
    script.check("and opens nothing", reached.is_empty(), format!("{} services answer", reached.len()));
    Ok(())
}

/// A result as a verifier would make it for a device that runs the newest release.
pub(in crate::story) fn forged_result(
    device: &Ueid,
    key: &SigningKey,
    release: &Published,
    signer: &SigningKey,
) -> Result<Vec<u8>, Error> {
    let verifier = VerifierId { developer: "nobody".to_owned(), build: "0".to_owned() };
    let mut result = AttestationResult::new(verifier, now(), now() + 3600);
    result.ueid = Some(device.clone());
    result.confirmation = Some(key.public_key().clone());
    let vector =
        TrustVector::new().with(Category::InstanceIdentity, AFFIRMED).with(Category::Executables, AFFIRMED);
    let mut appraisal = Appraisal::new(vector);
    appraisal.release = Some(release.release.manifest_digest().as_bytes().to_vec());
    result.submods.insert(SUBMOD.to_owned(), appraisal);
    let kid = cose::thumbprint(signer.public_key(), crypto::HashAlgorithm::Sha256);
    result.sign_cwt(signer, kid.as_bytes()).map_err(Error::object("a forged result"))
}

/// Proves itself to the gateway from a device's address, with any result; gives the status and the answer.
fn admit(device: &Device, key: &SigningKey, result: &[u8]) -> Result<(u16, String), Error> {
    #[derive(serde::Deserialize)]
    struct Challenge {
        nonce: api::Base64Url,
    }
    let url = format!("http://{}/.well-known/sextant/admission", SocketAddr::new(GATEWAY, ADMISSION_PORT));
    let id = ueid(device)?;
    let exchange = || -> Result<(u16, String), ureq::Error> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .new_agent();
        let challenge = agent.get(&url).call()?.body_mut().read_to_string()?;
        let nonce = serde_json::from_str::<Challenge>(&challenge)
            .map(|challenge| challenge.nonce.0)
            .unwrap_or_default();
        let mut payload = MapBuilder::new();
        for (label, bytes) in
            [(ADMISSION_NONCE, nonce.as_slice()), (ADMISSION_UEID, id.as_bytes()), (ADMISSION_RESULT, result)]
        {
            payload.int(label, |w| {
                w.bytes(bytes);
            });
        }
        let proof = Sign1Builder::new()
            .kid(id.as_bytes())
            .external_aad(ADMISSION_CONTEXT)
            .sign(key, &payload.into_bytes());
        let mut answer = agent.post(&url).header("content-type", api::COSE).send(&proof[..])?;
        Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
    };
    device.space.enter(exchange).map_err(Error::object("the gateway's admission service"))
}

/// Releases that must not be accepted.
fn attack_release(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let mut version = lab.new_cam.version;
    version.sequence += 1;
    let draft = lab.keys.draft(version, &lab.app)?;
    let swapped = swap_mud(&lab.keys, &draft)?;
    let attacks = [
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
    ];
    for (what, draft, signed, code) in attacks {
        let envelope = lab.keys.sign(draft, signed, Model::PorchCam)?;
        let (held, seen) = match lab.upload(&envelope) {
            Ok(accepted) => (false, format!("accepted as {}", accepted.manifest_digest)),
            Err(Error::Refused { problem, .. }) => (
                problem.status == 422 && problem.code == code.as_str(),
                format!("{} {}", problem.status, problem.code),
            ),
            Err(error) => return Err(error),
        };
        script.check(format!("{what} is refused: {code}"), held, seen);
    }
    Ok(())
}

/// The same release with its MUD file signed by somebody else, while the manifest pins the maker's key.
pub(in crate::story) fn swap_mud(keys: &Keys, draft: &ReleaseDraft) -> Result<ReleaseDraft, Error> {
    let other = &keys.brightwork;
    let swap = |mud: &DraftMud| -> Result<DraftMud, Error> {
        let signature = cms::sign_detached(&mud.file, &other.mud_signer, &other.certificate, &[], now())
            .map_err(Error::object("a MUD file cannot be signed"))?;
        Ok(DraftMud { signature, ..mud.clone() })
    };
    Ok(ReleaseDraft { mud: draft.mud.as_ref().map(swap).transpose()?, ..draft.clone() })
}

/// Releases that a device must not install, whoever hands them to it.
fn attack_device(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let [.., target] = lab.group(CAMS)[..] else { return Err(Error::object("the lab")("cameras expected")) };
    let mut version = lab.new_cam.version;
    version.sequence += 1;
    let draft = lab.keys.draft(version, &lab.app)?;
    let attacks = [
        ("a lower sequence number", lab.cam.envelope.clone(), Code::SequenceTooLow),
        (
            "the author's signature without the operator's",
            lab.keys.sign(&draft, Signatures::Author, Model::PorchCam)?,
            Code::OperatorSignatureMissing,
        ),
    ];
    // The device is taken off the network and handed the release directly.
    lab.devices[target].stop_agent();
    let before = digest_of(&lab.running_image(&lab.devices[target])?)?;
    for (what, envelope, code) in attacks {
        let path = lab.folder.path("attack.suit");
        fs::write(&path, &envelope).map_err(Error::io("a release"))?;
        let mut install = Command::new(&lab.programs.agent);
        install.args(["install", "--data"]).arg(&lab.devices[target].data).arg(&path).env("NO_COLOR", "1");
        let output = install.output().map_err(Error::io("sextant-agent install"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or_default();
        script.check(
            format!("a device refuses {what}: {code}"),
            output.status.code() == Some(1) && said.contains(code.as_str()),
            last.split_once("refused").map_or(last, |(_, why)| why).trim_start_matches(": "),
        );
    }
    let after = digest_of(&lab.running_image(&lab.devices[target])?)?;
    script.check("and what it runs is unchanged", before == after, &after);
    lab.start_agent(target)?;
    let release = lab.new_cam.digest.clone();
    let back = lab.until_affirmed(&[target], &release, MENDED);
    script.came_true("it comes back as it was", back.map(|_| "affirming"))?;
    Ok(())
}

/// Whoever has the database gives it another expected value, while the server is stopped.
fn attack_database(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let cams = lab.group(CAMS);
    let release = lab.new_cam.clone();
    let value =
        release.release.expected().first().ok_or("none").map_err(Error::object("expected values"))?.clone();
    // A row of the table: digest of the manifest, component, expected digest.
    let head = [release.release.manifest_digest().as_bytes(), value.name.as_bytes()].concat();
    let row = [head.as_slice(), value.digest.as_bytes()].concat();
    let mut altered = row.clone();
    if let Some(byte) = altered.last_mut() {
        *byte ^= 1;
    }
    let mut rows = 0;
    lab.restart_server(|data| {
        rows = replace(data, &row, &altered)?;
        Ok(())
    })?;
    script.check("a row of the stopped server's database is altered", rows == 1, format!("{rows} row"));

    let found = lab.until("the altered row shows in results", MENDED, |lab| {
        for index in &cams {
            let judged = lab.judged(&lab.devices[*index])?;
            let newest = judged.first().map_or_else(String::new, ToString::to_string);
            if !newest.contains(Code::ReferenceTampered.as_str()) {
                return Ok(Err(newest));
            }
        }
        Ok(Ok(format!("{} devices", cams.len())))
    });
    script.came_true(
        format!(
            "the release gives no expected values any more, and its devices are unknown: {}",
            Code::ReferenceTampered
        ),
        found,
    )?;
    let closed = lab.until("the devices are cut off", PATIENCE, |lab| {
        let reached = lab.reached(&lab.devices[cams[0]]);
        Ok(if reached.is_empty() {
            Ok("no service answers")
        } else {
            Err(format!("{} services answer", reached.len()))
        })
    });
    script.came_true("and they reach update only", closed)?;

    lab.restart_server(|data| replace(data, &altered, &row).map(drop))?;
    let back = lab.until_affirmed(&cams, &release.digest, MENDED);
    script.came_true(
        "with the row as it was, they are affirmed again",
        back.map(|_| format!("{} devices", cams.len())),
    )?;
    Ok(())
}

/// Replaces bytes in a database file; gives how often. The file is that of a server that ended in order, so that all of
/// it is in one place.
fn replace(data: &Path, from: &[u8], to: &[u8]) -> Result<usize, Error> {
    let entries = fs::read_dir(data).map_err(Error::io(data.display().to_string()))?;
    let mut count = 0;
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
        let failed = || Error::io(path.display().to_string());
        let mut bytes = fs::read(&path).map_err(failed())?;
        let places: Vec<usize> = bytes
            .windows(from.len())
            .enumerate()
            .filter(|(_, window)| *window == from)
            .map(|(at, _)| at)
            .collect();
        for at in &places {
            bytes[*at..*at + to.len()].copy_from_slice(to);
        }
        if !places.is_empty() {
            fs::write(&path, &bytes).map_err(failed())?;
        }
        count += places.len();
    }
    Ok(count)
}

fn device_key(device: &Device) -> Result<SigningKey, Error> {
    let path = device.data.join("device.key");
    let bytes = fs::read(&path).map_err(Error::io(path.display().to_string()))?;
    let key = Key::decode(&bytes).map_err(Error::object("a device's key"))?;
    key.into_secret().ok_or("it is a public key").map_err(Error::object("a device's key"))
}

fn ueid(device: &Device) -> Result<Ueid, Error> {
    let digits = device.ueid.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    bytes.and_then(|bytes| Ueid::new(&bytes)).ok_or("no UEID").map_err(Error::object(device.name.clone()))
}

fn digest_of(path: &Path) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(Error::io(path.display().to_string()))?;
    Ok(hex(crypto::Digest::of(crypto::HashAlgorithm::Sha256, &bytes).as_bytes()))
}
