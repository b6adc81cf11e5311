//! A verifier's day: evidence, results in both forms, and the reasons for each refusal.

mod common;

use common::{Desk, author_desk, fixed_key};
use coswid::{Entity, File, Hash, Role, TagBuilder, TagId, VersionScheme};
use crypto::{Digest, HashAlgorithm};
use eat::{DebugStatus, EvidenceClaims, ManifestReference, Nonce, Ueid};

const NONCE: &str = "000102030405060708090a0b0c0d0e0f";
const IMAGE: &[u8] = b"an image of the welcome cam";

/// Evidence of a device that runs an image as component `app`.
fn evidence(image: &[u8], release: Option<&[u8]>) -> Vec<u8> {
    let digest = Digest::of(HashAlgorithm::Sha256, image);
    let tag = TagBuilder::evidence(TagId::Text("evidence".into()), "welcome-cam")
        .version("1.4.0", VersionScheme::Semver)
        .entity(Entity::new("device", [Role::TagCreator]))
        .file(File { hash: Some(Hash::from(digest)), size: Some(image.len() as u64), ..File::new("app") })
        .build()
        .expect("an evidence tag");
    let vendor = suit::Uuid::vendor("northlight.example");
    let claims = EvidenceClaims {
        nonce: Nonce::new(&(0..16).collect::<Vec<u8>>()).expect("a nonce"),
        ueid: Ueid::new(&[1; 17]).expect("a UEID"),
        vendor: *vendor.as_bytes(),
        class: *suit::Uuid::class(&vendor, b"welcome-cam").as_bytes(),
        bootcount: 3,
        bootseed: vec![7; 32],
        dbgstat: DebugStatus::DisabledSinceBoot,
        measurement: tag.as_bytes().to_vec(),
        manifest: release.map(|envelope| {
            let digest = suit::Envelope::decode(envelope).expect("an envelope").manifest_digest_claimed();
            ManifestReference { digest, sequence_number: 7 }
        }),
        dependencies: Vec::new(),
        status: None,
    };
    claims.sign(&fixed_key(7), b"device").expect("evidence")
}

/// A desk with a published release, its author's list, a device and a verifier.
fn verifier_desk() -> Desk {
    let desk = author_desk();
    desk.key("device.key", 7).key("verifier.key", 8);
    desk.done("suit build recipe.toml --key author.key -o r.suit");
    desk.done("authority new -o list");
    desk.done("authority add list --key author.key.pub --role author --name Northlight");
    desk.write("good.cwt", evidence(IMAGE, Some(&desk.read("r.suit"))));
    desk.write("bad.cwt", evidence(b"something else", Some(&desk.read("r.suit"))));
    desk
}

#[test]
fn verifies_evidence_by_key_and_nonce() {
    let desk = verifier_desk();
    let told = desk.done(&format!("eat verify good.cwt --key device.key.pub --nonce {NONCE}"));
    assert!(told.contains("answers this nonce"), "{told}");
    desk.golden("eat-verify.txt", &told.replace(&release(&desk), "RELEASE"));
    desk.refused(
        &format!("eat verify good.cwt --key other.key.pub --nonce {NONCE}"),
        "bad-evidence-signature",
    );
    desk.refused(
        &format!("eat verify good.cwt --key device.key.pub --nonce {}", NONCE.replace("00", "ff")),
        "replayed-nonce",
    );
    let run = desk.run("eat verify good.cwt --key device.key.pub");
    assert!(run.status == 0 && run.stderr.contains("no nonce was given"), "{}", run.stderr);
}

#[test]
fn appraises_evidence_and_signs_results_in_both_forms() {
    let desk = verifier_desk();
    let appraise = |file: &str, more: &str| {
        format!(
            "eat appraise {file} --key device.key.pub --nonce {NONCE} --reference r.suit --authorities list {more}"
        )
    };
    desk.done(&appraise("good.cwt", "--ear-key verifier.key -o good.ear"));
    desk.done(&appraise("good.cwt", "--ear-key verifier.key --jwt -o good.jwt"));
    desk.refused(&appraise("bad.cwt", "--ear-key verifier.key -o bad.ear"), "digest-mismatch");
    // Each component stands beside what the release expects of it.
    for (file, verdict) in [("good.cwt", "same"), ("bad.cwt", "differs")] {
        let run = desk.run(&appraise(file, "--json"));
        let answer: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
        let row = &answer["components"]["device"][0];
        assert_eq!((&row["component"], &row["verdict"]), (&"app".into(), &verdict.into()), "{row}");
        assert!(row["expected"].is_string() && row["release"].is_string(), "{row}");
        assert_eq!(row["measured"] == row["expected"], verdict == "same", "{row}");
    }
    for result in ["good.ear", "good.jwt"] {
        desk.done(&format!("inspect {result}"));
        desk.done(&format!("ear inspect {result}"));
        let verify = format!("ear verify {result} --key verifier.key.pub");
        let device = "01".repeat(17);
        desk.done(&format!("{verify} --nonce {NONCE} --device {device} --device-key device.key.pub"));
        desk.refused(&format!("{verify} --device {device} --device-key other.key.pub"), "result-binding");
        desk.refused(&format!("{verify} --device {}", "02".repeat(17)), "result-binding");
        desk.refused(&format!("{verify} --at 2099-01-01T00:00:00Z"), "evidence-overdue");
        desk.refused(&format!("{verify} --nonce {}", NONCE.replace("00", "ff")), "replayed-nonce");
        desk.refused(&format!("ear verify {result} --key other.key.pub"), "result-signer");
    }
    desk.refused("ear verify bad.ear --key verifier.key.pub", "digest-mismatch");
}

#[test]
fn appraises_with_nothing_but_believed_releases() {
    let desk = verifier_desk();
    let appraise = format!("eat appraise good.cwt --key device.key.pub --nonce {NONCE} --reference r.suit");
    desk.done("authority new -o nobody");
    desk.done("authority add nobody --key other.key.pub --role author --name Other");
    let run = desk.run(&format!("{appraise} --authorities nobody"));
    assert_eq!(run.status, 1);
    assert!(
        run.stdout.contains("[no-reference]") && run.stderr.contains("gives no expected values"),
        "{}",
        run.stderr
    );
    desk.refused(
        &format!("{} --authorities list", appraise.replace("device.key.pub", "other.key.pub")),
        "bad-evidence-signature",
    );
}

#[test]
fn makes_tags_and_verifies_who_signed_them() {
    let desk = verifier_desk();
    let build =
        "coswid build --name welcome-cam --version 1.4.0 --entity northlight.example --file app=app.bin";
    desk.done(&format!("{build} -o plain.tag"));
    desk.done(&format!("{build} --key author.key --supersedes older -o signed.tag"));
    desk.golden("coswid-inspect.txt", &desk.done("coswid inspect plain.tag"));
    desk.done("coswid verify signed.tag --key author.key.pub");
    desk.refused("coswid verify signed.tag --key other.key.pub", "bad-tag-signature");
    desk.refused("coswid verify plain.tag --key author.key.pub", "unsigned-tag");
    for tag in ["plain.tag", "signed.tag"] {
        assert!(desk.done(&format!("inspect {tag}")).contains("CoSWID"), "{tag}");
    }
}

fn release(desk: &Desk) -> String {
    let bytes = desk.read("r.suit");
    suit::Envelope::decode(&bytes).expect("an envelope").manifest_digest_claimed().to_string()
}
