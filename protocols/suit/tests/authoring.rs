//! What is built is what recipients accept, and what the draft publishes.

mod support;

use crypto::{Digest, HashAlgorithm, SignatureAlgorithm};
use sextant_suit::{
    BuildError, Envelope, Error, Feature, ImageRecipe, LanguageText, ManifestBuilder, Member, MudBinding,
    Refusal, ReleaseRecipe, Section, Severable, SignatureHeaders, Text, Variant, labels,
};
use support::{IMAGE, build, component, key, one_author, recipe, seq, sha256, signed};

/// Digests of the draft's examples.
fn example_digest(text: &str) -> Digest {
    format!("sha256:{text}").parse().expect("a digest")
}

const DIGEST_0: &str = "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210";
const DIGEST_1: &str = "0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff";

fn example(sequence_number: u64, variants: Vec<Variant>, invoke: bool) -> ManifestBuilder {
    let image = ImageRecipe { component: component("0x00"), variants, invoke };
    let recipe = ReleaseRecipe {
        sequence_number,
        vendor: support::vendor(),
        class: support::class(),
        images: vec![image],
    };
    recipe.manifest().expect("a recipe")
}

fn variant(slot: Option<u64>, digest: &str, size: u64, uri: Option<&str>) -> Variant {
    Variant { slot, digest: example_digest(digest), size, uri: uri.map(Into::into) }
}

#[test]
fn reproduces_the_examples_of_the_draft() {
    let Some(folder) = testkit::vectors("suit/manifest-37") else { return };
    let long_uri = "http://example.com/very/long/path/to/file/file.bin";
    let mut example2 = example(2, vec![variant(None, DIGEST_0, 34768, Some(long_uri))], true);
    let published_digest = "302196d452bce5e8bfeaf71e395645ede6d365e63507a081379721eeecf00007";
    example2.reference_uri("https://git.io/JJYoj").sever(Severable::Install);
    let manifests = [
        ("example0", example(0, vec![variant(None, DIGEST_0, 34768, None)], true)),
        (
            "example1",
            example(1, vec![variant(None, DIGEST_0, 34768, Some("http://example.com/file.bin"))], false),
        ),
        (
            "example3",
            example(
                3,
                vec![
                    variant(Some(0), DIGEST_0, 34768, Some("http://example.com/file1.bin")),
                    variant(Some(1), DIGEST_1, 76834, Some("http://example.com/file2.bin")),
                ],
                false,
            ),
        ),
    ];
    for (name, manifest) in manifests {
        let published = testkit::read_hex(&folder.join(format!("{name}.unsigned.hex")));
        assert_eq!(testkit_hex(&build(&manifest).to_bytes()), testkit_hex(&published), "{name}");
    }
    // The text of example 2 is published as its digest only; all the rest of it is built.
    let published = testkit::read_hex(&folder.join("example2.unsigned.hex"));
    let published = Envelope::decode(&published).expect("decodes").manifest_unverified().expect("decodes");
    let built = build(&example2).to_bytes();
    let built = Envelope::decode(&built).expect("decodes").manifest_unverified().expect("decodes");
    let digest =
        |manifest: &sextant_suit::Manifest<'_>, section| manifest.section(section)?.digest().copied();
    assert_eq!(digest(&built, Section::Install), digest(&published, Section::Install));
    assert_eq!(published.text().and_then(|t| t.digest().copied()), Some(example_digest(published_digest)));
    assert_eq!(built.common(), published.common());
    assert_eq!(built.reference_uri(), published.reference_uri());
    assert_eq!(built.section(Section::Invoke), published.section(Section::Invoke));
}

fn testkit_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn carries_coswid_mud_text_and_payload() {
    let text = Text::new(vec![
        LanguageText::new("en")
            .with(labels::text::UPDATE_DESCRIPTION, "fixes the <b>lamp</b>")
            .with_component(component("fw"), &[(labels::component_text::COMPONENT_VERSION, "1.1.0")]),
        LanguageText::new("de").with(labels::text::UPDATE_DESCRIPTION, "repariert die Lampe"),
    ]);
    let mud = MudBinding { url: "https://mud.example/lamp.json", signer: sha256(b"a key") };
    let mut manifest = recipe(7).manifest().expect("a recipe");
    manifest.text(&text).mud(&mud).coswid(&[0xa1, 0x00, 0x41, 0x01]);
    manifest.sever(Severable::Coswid).sever(Severable::Text);
    let mut envelope = build(&manifest);
    envelope.payload("#fw", IMAGE).sign(&key(1), Some(&[1]));
    let (bytes, digest) = (envelope.to_bytes(), envelope.manifest_digest());

    let envelope = Envelope::decode(&bytes).expect("decodes");
    let verified = envelope.verify(&one_author()).expect("verifies");
    assert_eq!(verified.manifest_digest(), digest);
    assert_eq!(verified.sequence_number(), 7);
    assert_eq!(verified.signers().iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["key 1"]);
    assert_eq!(verified.mud(), Some(mud));
    assert_eq!(verified.coswid(), Some(&[0xa1, 0x00, 0x41, 0x01][..]));
    let read = verified.text().expect("decodes").expect("is there");
    assert_eq!(read.languages().len(), 2);
    let english = read.languages().iter().find(|l| l.language() == "en").expect("english");
    assert_eq!(english.element(labels::text::UPDATE_DESCRIPTION), Some("fixes the <b>lamp</b>"));
    let version = english.component_element(&component("fw"), labels::component_text::COMPONENT_VERSION);
    assert_eq!(version, Some("1.1.0"));
    let [image] = verified.images().try_into().expect("one image");
    assert_eq!((image.digest, image.size, image.uri), (sha256(IMAGE), Some(IMAGE.len() as u64), Some("#fw")));
    assert_eq!(verified.missing_payloads(), [""; 0]);

    // Whatever may be taken away on the way can be, and is then missing.
    let stripped = Envelope::decode(&bytes).expect("decodes").strip_payloads();
    let verified = Envelope::decode(&stripped).expect("decodes").verify(&one_author()).expect("verifies");
    assert_eq!(verified.missing_payloads(), ["#fw"]);
    let restored = Envelope::decode(&stripped).expect("decodes").with_payload("#fw", IMAGE);
    assert_eq!(restored, bytes);
}

#[test]
fn signature_made_elsewhere_is_as_good() {
    let mut envelope = build(&recipe(1).manifest().expect("a recipe"));
    let signature = key(1).sign(&envelope.to_be_signed(SignatureAlgorithm::Es256, Some(&[1])));
    envelope.assemble(SignatureAlgorithm::Es256, Some(&[1]), &signature);
    assert_eq!(support::code_of(&envelope.to_bytes(), &one_author()), "ok");
}

#[test]
fn nobody_signs_a_digest_of_something_else() {
    let bytes = signed(&recipe(1).manifest().expect("a recipe"));
    let at = bytes.len() - 1;
    let changed = support::flipped(&bytes, at);
    let envelope = Envelope::decode(&changed).expect("decodes");
    let member = sextant_suit::Member::Manifest;
    assert_eq!(envelope.sign(&key(2), None), Err(Refusal::DigestMismatch { member }));
}

#[test]
fn refuses_to_build_what_recipients_refuse() {
    let no_image = ReleaseRecipe { images: vec![], ..recipe(1) };
    assert_eq!(no_image.manifest().map(|_| ()), Err(BuildError::NoImage));
    let mut two = recipe(1);
    let other = two.images[0].variants[0].clone();
    two.images[0].variants.push(other);
    assert_eq!(two.manifest().map(|_| ()), Err(BuildError::NoSlot));
    let mut manifest = recipe(1).manifest().expect("a recipe");
    manifest.sever(Severable::Text);
    let nothing = manifest.build(HashAlgorithm::Sha256).map(|_| ());
    assert_eq!(nothing, Err(BuildError::NothingToSever(Severable::Text)));
    let mut empty = ManifestBuilder::new(1);
    empty.component(component("fw")).section(Section::Install, seq());
    assert!(matches!(empty.build(HashAlgorithm::Sha256), Err(BuildError::Rule(Error::Malformed(_)))));
}

#[test]
fn manifest_of_several_images_selects_each() {
    let mut recipe = recipe(3);
    let mut second = recipe.images[0].clone();
    second.component = component("app/0x01");
    second.invoke = true;
    recipe.images.push(second);
    let bytes = signed(&recipe.manifest().expect("a recipe"));
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&one_author()).expect("verifies");
    assert_eq!(verified.images().len(), 2);
    let mut device = support::Device::new(verified.components());
    let envelope = Envelope::decode(&bytes).expect("decodes").with_payload("#fw", IMAGE);
    let verified = Envelope::decode(&envelope).expect("decodes").verify(&one_author()).expect("verifies");
    let mut processor = sextant_suit::Processor::new(&verified, &mut device).expect("is admitted");
    processor.run(sextant_suit::Procedure::Update).expect("installs");
    processor.run(sextant_suit::Procedure::Invocation).expect("boots");
    assert_eq!(device.log, ["wrote fw", "wrote app/0x01", "about to invoke app/0x01", "invoked app/0x01"]);
}

#[test]
fn text_about_an_unknown_component_is_refused() {
    let text = Text::new(vec![LanguageText::new("en").with_component(component("other"), &[(1, "x")])]);
    let mut manifest = recipe(1).manifest().expect("a recipe");
    manifest.text(&text);
    let bytes = signed(&manifest);
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&one_author()).expect("verifies");
    assert_eq!(verified.text().map(|_| ()).expect_err("is refused").code(), "malformed-manifest");
    let text = Text::new(vec![LanguageText::new("not a language")]);
    manifest.text(&text);
    let bytes = signed(&manifest);
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&one_author()).expect("verifies");
    assert!(verified.text().is_err());
    let text = Text::new(vec![LanguageText::new("en").with(9, "x")]);
    manifest.text(&text);
    let bytes = signed(&manifest);
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&one_author()).expect("verifies");
    let error = verified.text().map(|_| ()).expect_err("is refused");
    assert!(matches!(error, Error::Unsupported { feature: Feature::TextElement(9), .. }), "{error}");
}

#[test]
fn signatures_made_elsewhere_are_attached_once_they_verify() {
    let bytes = build(&recipe(1).manifest().expect("a recipe")).to_bytes();
    let envelope = Envelope::decode(&bytes).expect("decodes");
    for fully_specified in [false, true] {
        let headers = SignatureHeaders { kid: Some(&[1]), fully_specified };
        let signed = envelope.to_be_signed(SignatureAlgorithm::Es256, &headers).expect("its digest is right");
        let signature = key(1).sign(&signed);
        let whole = envelope.attach(key(1).public_key(), &headers, &signature).expect("verifies");
        let whole = Envelope::decode(&whole).expect("decodes");
        assert!(whole.verify(&one_author()).is_ok());
        let block = cose::Sign1::decode(whole.signatures()[0]).expect("a message");
        assert_eq!(block.alg(), if fully_specified { -9 } else { -7 });
        // Of another key, over other headers, cut short.
        let refusal = Err(Refusal::BadSignature { kid: vec![1] });
        assert_eq!(envelope.attach(key(2).public_key(), &headers, &signature), refusal);
        let other = SignatureHeaders { fully_specified: !fully_specified, ..headers };
        assert_eq!(envelope.attach(key(1).public_key(), &other, &signature), refusal);
        assert_eq!(envelope.attach(key(1).public_key(), &headers, &signature[..63]), refusal);
    }
}

#[test]
fn nothing_is_prepared_for_signing_whose_digest_is_of_something_else() {
    let bytes = build(&recipe(1).manifest().expect("a recipe")).to_bytes();
    let claimed = Envelope::decode(&bytes).expect("decodes").manifest_digest_claimed();
    let at = bytes.windows(32).position(|window| window == claimed.as_bytes()).expect("its digest");
    let bad = support::flipped(&bytes, at);
    let envelope = Envelope::decode(&bad).expect("decodes");
    let headers = SignatureHeaders::default();
    let refusal = Refusal::DigestMismatch { member: Member::Manifest };
    assert_eq!(envelope.to_be_signed(SignatureAlgorithm::Ed25519, &headers), Err(refusal.clone()));
    let mac = cose::MacKey::new(HashAlgorithm::Sha256, &[7; 32]).expect("a key");
    assert_eq!(envelope.with_mac(&mac, None), Err(refusal));
}

#[test]
fn a_mac_covers_the_digest_and_is_no_signature() {
    let bytes = build(&recipe(1).manifest().expect("a recipe")).to_bytes();
    let mac = cose::MacKey::new(HashAlgorithm::Sha256, &[7; 32]).expect("a key");
    let mac = cose::MacKey::decode(&mac.encode_secret(b"group")).expect("the same key");
    let whole = Envelope::decode(&bytes).expect("decodes").with_mac(&mac, Some(b"group"));
    let whole = whole.expect("its digest is right");
    let envelope = Envelope::decode(&whole).expect("decodes");
    let block = cose::Mac0::decode(envelope.signatures()[0]).expect("a message");
    assert_eq!((block.alg(), block.kid()), (5, Some(&b"group"[..])));
    assert_eq!(block.verify(&mac, Some(envelope.signed_bytes()), &[]), Ok(()));
    assert_eq!(envelope.verify(&one_author()), Err(Refusal::UnsupportedAuthentication));
}
