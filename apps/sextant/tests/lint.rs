//! The linter: each rule by the smallest release that breaks it, and none by a good one.

mod common;

use std::collections::BTreeSet;

use common::{Desk, author_desk};
use crypto::{Digest, HashAlgorithm};
use suit::{
    ComponentId, Condition, Directive, ManifestBuilder, Parameter, ReportingPolicy, Section, SequenceBuilder,
    Uuid, VendorId,
};

const ALWAYS: ReportingPolicy = ReportingPolicy::ALWAYS;
const IMAGE: &[u8] = b"an image";

fn seq() -> SequenceBuilder {
    SequenceBuilder::new()
}

fn digest() -> Parameter<'static> {
    Parameter::ImageDigest(Digest::of(HashAlgorithm::Sha256, IMAGE))
}

fn component(name: &str) -> ComponentId {
    name.parse().expect("a component")
}

/// The sections of a release of one component that break no rule of the flow, for a test to replace one.
struct Release {
    sequence: u64,
    shared: SequenceBuilder,
    install: SequenceBuilder,
    validate: SequenceBuilder,
    invoke: SequenceBuilder,
    more: fn(&mut ManifestBuilder),
}

fn good() -> Release {
    let vendor = Uuid::vendor("northlight.example");
    let ids = [
        Parameter::VendorId(VendorId::Uuid(vendor)),
        Parameter::ClassId(Uuid::class(&vendor, b"cam")),
        digest(),
        Parameter::ImageSize(IMAGE.len() as u64),
    ];
    Release {
        sequence: 7,
        shared: seq()
            .override_parameters(&ids)
            .condition(Condition::VendorIdentifier, ALWAYS)
            .condition(Condition::ClassIdentifier, ALWAYS),
        install: fetch("#app").condition(Condition::ImageMatch, ALWAYS),
        validate: seq().condition(Condition::ImageMatch, ALWAYS),
        invoke: seq().directive(Directive::Invoke, ALWAYS),
        more: |_| {},
    }
}

fn fetch(uri: &str) -> SequenceBuilder {
    seq().override_parameters(&[Parameter::Uri(uri)]).directive(Directive::Fetch, ALWAYS)
}

impl Release {
    fn write(self, desk: &Desk, name: &str) {
        let mut manifest = ManifestBuilder::new(self.sequence);
        manifest.component(component("app")).shared(self.shared);
        for (section, sequence) in [
            (Section::Install, self.install),
            (Section::Validate, self.validate),
            (Section::Invoke, self.invoke),
        ] {
            if !sequence.is_empty() {
                manifest.section(section, sequence);
            }
        }
        (self.more)(&mut manifest);
        let mut envelope = manifest.build(HashAlgorithm::Sha256).expect("a manifest within the rules");
        envelope.payload("#app", IMAGE).sign(&common::fixed_key(1), None);
        desk.write(name, envelope.to_bytes());
    }
}

fn rules(desk: &Desk, line: &str) -> BTreeSet<String> {
    let run = desk.run(&format!("{line} --json"));
    assert!(run.status < 2, "{line}\n{}", run.stderr);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let findings = told["findings"].as_array().expect("findings").iter();
    findings.map(|finding| finding["rule"].as_str().expect("a code").to_owned()).collect()
}

/// What the good release of this file lacks because it is small.
fn small() -> BTreeSet<String> {
    ["no-sbom", "no-mud", "no-text"].into_iter().map(str::to_owned).collect()
}

/// Encryption info of a cipher without authentication.
fn unauthenticated() -> Vec<u8> {
    let key = crypto::KeyWrapKey::from_bytes(crypto::KeyWrapAlgorithm::A128Kw, &[7; 16]).expect("a key");
    let recipient = cose::RecipientKey::key_wrap(key, b"");
    let message = cose::EncryptBuilder::new(crypto::ContentAlgorithm::A128Ctr).recipient(&recipient);
    message.encrypt_detached(IMAGE, &mut |bytes| bytes.fill(9)).expect("encrypts").0
}

#[test]
fn a_good_release_breaks_no_rule() {
    let desk = author_desk();
    good().write(&desk, "good.suit");
    assert_eq!(rules(&desk, "suit lint good.suit"), small());
    desk.done("suit build recipe.toml --key author.key -o r.suit");
    // One note of the MUD linter, about the file.
    assert_eq!(rules(&desk, "suit lint r.suit"), BTreeSet::from(["group-address".to_owned()]));
}

#[test]
fn each_rule_finds_the_smallest_release_that_breaks_it() {
    let desk = author_desk();
    let slot = |slot| seq().override_parameters(&[Parameter::ComponentSlot(slot)]);
    let in_slot = |number| slot(number).condition(Condition::ComponentSlot, ALWAYS);
    let leaking =
        slot(0).override_parameters(&[Parameter::Uri("#app")]).condition(Condition::ComponentSlot, ALWAYS);
    let info = unauthenticated();
    let encrypted = [Parameter::EncryptionInfo(&info), Parameter::Content(IMAGE)];
    let write = seq().override_parameters(&encrypted).directive(Directive::Write, ALWAYS);
    let rows: Vec<(&str, Release)> = vec![
        ("sequence-zero", Release { sequence: 0, ..good() }),
        ("no-vendor-check", Release { shared: seq().override_parameters(&[digest()]), ..good() }),
        ("no-class-check", Release { shared: seq().override_parameters(&[digest()]), ..good() }),
        ("no-size", Release { shared: seq().override_parameters(&[digest()]), ..good() }),
        ("no-digest", Release { shared: seq().override_parameters(&[Parameter::ImageSize(8)]), ..good() }),
        ("digest-by-set-parameters", Release { shared: seq().set_parameters(&[digest()]), ..good() }),
        (
            "payload-missing",
            Release { install: fetch("#other").condition(Condition::ImageMatch, ALWAYS), ..good() },
        ),
        ("no-validation", Release { validate: seq(), ..good() }),
        (
            "invoke-unchecked",
            Release { validate: seq().condition(Condition::VendorIdentifier, ALWAYS), ..good() },
        ),
        ("install-unchecked", Release { install: fetch("#app"), ..good() }),
        ("uri-not-https", Release { install: fetch("http://x.example/app"), ..good() }),
        ("uri-not-https", Release { install: fetch("coap://x.example/app"), ..good() }),
        ("parameter-unset", Release { validate: seq().condition(Condition::UseBefore, ALWAYS), ..good() }),
        ("parameter-elsewhere", {
            let battery = seq().override_parameters(&[Parameter::MinimumBattery(5)]);
            let install = battery.then(&good().install);
            let validate = good().validate.condition(Condition::MinimumBattery, ALWAYS);
            Release { install, validate, ..good() }
        }),
        (
            "try-each-leak",
            Release {
                install: seq().try_each(&[leaking.clone(), in_slot(1)], false).then(&good().install),
                ..good()
            },
        ),
        (
            "try-each-leak",
            Release {
                install: seq().try_each(&[leaking.clone(), leaking.clone()], true).then(&good().install),
                ..good()
            },
        ),
        ("encryption-unauthenticated", Release { install: write.clone(), ..good() }),
        (
            "dependency-no-digest",
            Release {
                more: |manifest| {
                    manifest.component(component("d")).dependency(1, None);
                    for section in [Section::Install, Section::Validate, Section::Invoke] {
                        manifest.section(
                            section,
                            seq().component(0).condition(Condition::VendorIdentifier, ALWAYS),
                        );
                    }
                    manifest.shared(seq().component(0).condition(Condition::VendorIdentifier, ALWAYS));
                },
                ..good()
            },
        ),
        (
            "dependency-unchecked",
            Release {
                more: |manifest| {
                    manifest.component(component("d")).dependency(1, None);
                    let process = || seq().component(1).directive(Directive::ProcessDependency, ALWAYS);
                    for section in [Section::Install, Section::Validate, Section::Invoke] {
                        manifest.section(section, process());
                    }
                    manifest.shared(seq().component(1).override_parameters(&[digest()]));
                },
                ..good()
            },
        ),
    ];
    for (rule, release) in rows {
        release.write(&desk, "bad.suit");
        let found = rules(&desk, "suit lint bad.suit");
        assert!(found.contains(rule), "expected {rule}, found {found:?}");
        assert!(!small().contains(rule));
    }
    // Close to the rules, and good: the same alternatives that set nothing before they are chosen, or set it all.
    let chosen = |number, uri: &'static str| in_slot(number).override_parameters(&[Parameter::Uri(uri)]);
    for release in [
        Release {
            install: seq()
                .try_each(&[chosen(0, "#app"), chosen(1, "#app")], false)
                .directive(Directive::Fetch, ALWAYS)
                .condition(Condition::ImageMatch, ALWAYS),
            ..good()
        },
        Release { install: write.condition(Condition::ImageMatch, ALWAYS), ..good() },
        Release {
            install: fetch("https://x.example/app").condition(Condition::ImageMatch, ALWAYS),
            ..good()
        },
    ] {
        release.write(&desk, "good.suit");
        assert_eq!(rules(&desk, "suit lint good.suit"), small());
    }
}

#[test]
fn releases_are_held_to_the_one_before() {
    let desk = author_desk();
    for (name, sequence) in [("6.suit", 6), ("7.suit", 7), ("8.suit", 8)] {
        Release { sequence, ..good() }.write(&desk, name);
    }
    for (previous, broken) in [("6.suit", false), ("7.suit", true), ("8.suit", true)] {
        let found = rules(&desk, &format!("suit lint 7.suit --previous {previous}"));
        assert_eq!(found.contains("sequence-rollback"), broken, "{previous}");
    }
}

#[test]
fn what_recipes_make_breaks_no_rule_that_counts() {
    let desk = author_desk();
    desk.write("radio.toml", common::RECIPE.replace("\"app\"", "\"radio\""));
    desk.done("suit build radio.toml --key author.key -o radio.suit");
    desk.done("key new --alg A128KW -o group.key");
    let staged = common::RECIPE.replace("invoke = true", "invoke = true\nstage = \"download\"");
    for text in [
        format!("{}[[dependency]]\nid = \"d\"\nenvelope = \"radio.suit\"\n", common::RECIPE),
        staged.replace("sequence = 7", "sequence = 7\ncandidate-verification = true\nuninstall = true"),
        format!("{staged}[encryption]\nalgorithm = \"A128CTR\"\nrecipients = [\"group.key\"]\n"),
    ] {
        desk.write("x.toml", &text);
        desk.done("suit build x.toml --key author.key -o r.suit");
        let found = rules(&desk, "suit lint r.suit");
        assert_eq!(found, BTreeSet::from(["no-mud".to_owned()]), "{text}");
    }
    // What only an author may sign, though it looks like a distributor's.
    let both = format!(
        "{staged}[[dependency]]\nid = \"d\"\nenvelope = \"radio.suit\"\n[encryption]\nalgorithm = \"A128CTR\"\n\
         recipients = [\"group.key\"]\n"
    );
    desk.write("both.toml", both);
    desk.done("suit build both.toml --key author.key -o both.suit");
    assert!(rules(&desk, "suit lint both.suit").contains("beyond-distribution"));
    let later = staged.replace("sequence = 7", "sequence = 7\nencrypt-later = true");
    desk.write("later.toml", later);
    desk.done("suit build later.toml --key author.key -o later.suit");
    desk.done("suit encrypt later.suit --recipient group.key --key author.key -o encrypted.suit");
    assert!(!rules(&desk, "suit lint encrypted.suit").contains("beyond-distribution"));
    desk.done("key new --alg HMAC-256 -o mac.key");
    desk.done("suit sign r.suit --key mac.key");
    assert!(rules(&desk, "suit lint r.suit").contains("shared-key"));
    // A dependent that forgets a section of its dependency.
    let inner = desk.read("radio.suit");
    let mut manifest = ManifestBuilder::new(1);
    manifest.component(component("app"));
    let mut envelope = manifest.build(HashAlgorithm::Sha256).expect("a manifest");
    envelope.payload("#d", &inner);
    desk.write("forgets.suit", envelope.to_bytes());
    let found = rules(&desk, "suit lint forgets.suit");
    assert!(found.contains("dependency-unprocessed") && found.contains("unsigned-manifest"), "{found:?}");
}

#[test]
fn every_rule_has_a_weight_and_a_reason() {
    let desk = Desk::new();
    let told: serde_json::Value = serde_json::from_str(&desk.done("suit lint --rules --json")).expect("JSON");
    let rules = told.as_array().expect("rules");
    let codes: BTreeSet<&str> = rules.iter().filter_map(|rule| rule["rule"].as_str()).collect();
    assert!(codes.len() == rules.len() && codes.len() > 30, "{} rules", rules.len());
    for rule in rules {
        assert!(matches!(rule["severity"].as_str(), Some("note" | "warning" | "error")), "{rule}");
        assert!(rule["why"].as_str().is_some_and(|why| why.len() > 20), "{rule}");
    }
    desk.failed("suit lint", "FILE");
}
