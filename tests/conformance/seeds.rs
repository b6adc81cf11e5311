//! Inputs to begin with: files of the test vectors, and objects of the fixture for what has no vectors.

// By its path, since the fuzz targets take this file by its own.
#[path = "seeds/evidence.rs"]
mod evidence;
#[path = "seeds/gateway.rs"]
mod gateway_side;
#[path = "seeds/onboarding.rs"]
mod onboarding;

use std::path::{Path, PathBuf};

use cbor::Writer;
use crypto::{Digest, HashAlgorithm, HssSigningKey, LmotsType, LmsType};
use device_core::BootState;
use eat::{MeasuredComponent, Measurement};
use mud::{Direction, Family, Protocol, Remote};
use trust::{
    Approval, Bundle, BundledEvidence, BundledRelease, Effect, Flow, Hold, Override, Policy, References,
    Releases, Restriction, Scope, Standing,
};

use self::evidence::{
    TPM_QUOTED, attested, bundles, cca_token, parsec, psa_tokens, tpm_key, tpm_parts, wrappers,
};
use crate::decoders::{Decoder, HSS_MESSAGE, service_info};
use crate::fixture::{APPLICATION, CLASS, Cast, MUD_FILE, NOW, key};

/// What clients in use send first: TLS 1.3, TLS 1.2, DTLS 1.2.
const CLIENT_HELLOS: [&[u8]; 3] = [
    include_bytes!("../../protocols/mud/tests/data/tls/gnutls-tls13.bin"),
    include_bytes!("../../protocols/mud/tests/data/tls/openssl-tls12.bin"),
    include_bytes!("../../protocols/mud/tests/data/tls/openssl-dtls12.bin"),
];

/// Of each kind of key.
const REQUESTS: [&[u8]; 4] = [
    include_bytes!("../../foundation/x509/tests/data/request-p256.der"),
    include_bytes!("../../foundation/x509/tests/data/request-p384.der"),
    include_bytes!("../../foundation/x509/tests/data/request-ed25519.der"),
    include_bytes!("../../foundation/x509/tests/data/request-rsa.der"),
];
const REQUEST_WITH_ATTRIBUTES: &str = include_str!("../../foundation/x509/tests/data/request-attributes.pem");

/// All inputs for a decoder, with names.
pub(crate) fn seeds(decoder: &Decoder) -> Vec<(String, Vec<u8>)> {
    let mut seeds = own(decoder.name);
    for folder in decoder.folders {
        let (area, rest) = folder.split_once('/').unwrap_or((folder, ""));
        let Some(folder) = testkit::vectors(area) else { continue };
        for path in files(&folder.join(rest)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(bytes) = content(&path) {
                if decoder.name == "fdo_message" && name.ends_with(".json") {
                    let rows = onboarding::recorded(&bytes).into_iter().enumerate();
                    seeds.extend(rows.map(|(row, bytes)| (format!("{name}-{row}"), bytes)));
                    continue;
                }
                let bytes = match decoder.name {
                    // Those in text are of one decoder with those that are not.
                    "voucher" => fdo::vouchers_of_file(&bytes).map_or(bytes.clone(), |them| them.concat()),
                    _ => bytes,
                };
                seeds.push((format!("{}-{name}", rest.replace('/', "-")), bytes));
            }
        }
    }
    seeds
}

/// Objects of the fixture; at least one for every decoder.
fn own(decoder: &str) -> Vec<(String, Vec<u8>)> {
    let cast = Cast::new();
    let made: Vec<Vec<u8>> = match decoder {
        "cbor" => vec![cast.envelope(1, APPLICATION), cast.evidence(APPLICATION), boot_state()],
        "crypto_keys" => vec![cast.author.public_key().to_spki_der(), cast.author.to_pkcs8_der().to_vec()],
        "cose_sign1" => vec![signed_override()],
        "cose_sign" => {
            let operator = key(2);
            let signer = |key, kid| cose::Signer { key, kid: Some(kid) };
            let signers = [signer(&cast.author, b"author".as_slice()), signer(&operator, b"operator")];
            vec![cose::SignBuilder::new().sign(&signers, b"payload")]
        }
        "cose_mac0" => {
            let key = cose::MacKey::new(HashAlgorithm::Sha256, &[5; 32]).expect("long enough");
            vec![cose::Mac0Builder::new().kid(b"shared").authenticate(&key, b"payload")]
        }
        "cose_encrypt" => encrypted(),
        "cose_encrypt0" => {
            let made = crypto::ContentAlgorithm::ALL.into_iter().map(|algorithm| {
                let key = crypto::ContentKey::from_bytes(algorithm, &vec![5; algorithm.key_len()]);
                let key = key.expect("its length");
                cose::Encrypt0Builder::new().kid(b"shared").encrypt(&key, b"payload", &mut ones)
            });
            made.collect::<Result<_, _>>().expect("encrypts")
        }
        "suit_update_answer" => {
            let offer = Some(Digest::of(HashAlgorithm::Sha256, b"a manifest"));
            let answer = |offer| suit::UpdateAnswer {
                device: vec![1; 17],
                nonce: [7; 16],
                issued_at: 1,
                offer,
                obeys: offer,
                authority_update: None,
            };
            [None, offer].map(|offer| answer(offer).sign(&key(20), b"server")).to_vec()
        }
        "hss_signature" => hash_based(),
        "cose_key" => {
            let wrap = crypto::KeyWrapAlgorithm::A128Kw;
            let private = cose::DecryptionKey::agreement(agreement_key(), wrap, b"device");
            let private = private.expect("on P-256");
            vec![
                cose::Key::from_public(cast.author.public_key()).with_kid(b"author").encode(),
                private.encode_secret().to_vec(),
                private.recipient_key().expect("a key").encode().to_vec(),
            ]
        }
        "x509_certificate" => vec![cast.issuer.as_der().to_vec(), cast.certificate.as_der().to_vec()],
        "x509_cms" => vec![cast.mud_signature()],
        "certification_request" => {
            let with_attributes =
                x509::CertificationRequest::from_pem(REQUEST_WITH_ATTRIBUTES).expect("a request");
            let mut requests = REQUESTS.map(<[u8]>::to_vec).to_vec();
            requests.push(with_attributes.as_der().to_vec());
            requests
        }
        "suit_index" => vec![cast.envelope(1, APPLICATION)],
        "suit_envelope" => vec![cast.envelope(1, APPLICATION)],
        "suit_legacy" => vec![old_envelope(cast), cast.envelope(1, APPLICATION)],
        "suit_processor" => vec![cast.envelope(1, APPLICATION), trust_domains(cast)],
        "suit_report" => suit_reports(cast),
        "suit_authorities" => vec![cast.authorities().to_bytes()],
        "suit_authority_update" => {
            let scope = suit::UpdateScope { devices: vec![vec![1; 17]], ..suit::UpdateScope::default() };
            let present = cast.authorities();
            let proposal = suit::UpdateProposal::new(&present, present.clone(), scope).expect("a root");
            let signed = proposal.sign(&key(50), b"root");
            vec![proposal.encode(), signed]
        }
        "coswid_tag" | "coswid_received" => {
            let envelope = cast.envelope(1, APPLICATION);
            let verified = suit::VerifiedManifest::verify(envelope, &cast.authorities()).expect("our own");
            let sbom = verified.open().coswid().unwrap_or_default().to_vec();
            let signed = coswid::sign(&coswid::Tag::decode(&sbom).expect("our own"), &cast.author, b"author");
            vec![sbom, cast.measurement(APPLICATION), signed]
        }
        "coswid_interchange" => {
            let tag = coswid::Tag::decode(&cast.measurement(APPLICATION)).expect("our own");
            let documents = [
                coswid::interchange::export_spdx(&tag, NOW),
                coswid::interchange::export_cyclonedx(&tag, NOW),
                coswid::interchange::export_swid_xml(&tag),
            ];
            documents.map(|exported| exported.document).to_vec()
        }
        "coswid_advisory" => ADVISORIES.map(|text| text.as_bytes().to_vec()).to_vec(),
        "coswid_query" => QUERIES.map(|text| text.as_bytes().to_vec()).to_vec(),
        "corim" => vec![manifest().encode(), signed_manifest(cast)],
        "comid" => manifest().comids().map(corim::Comid::encode).collect(),
        "coserv" => vec![answer().encode()],
        "voucher" => vouchers(cast),
        "fdo_message" => onboarding::messages(),
        "fdo_service_info" => service_info::seeds(),
        "eat_evidence" | "eat_token" => vec![cast.evidence(APPLICATION)],
        "eat_component" => vec![component().encode(), component().encode_json().into_bytes()],
        "eat_unprotected" => {
            let claims = attested(&[]);
            vec![
                eat::UnprotectedClaims::from(claims.clone()).encode(),
                claims.encode_json().expect("has a form").into_bytes(),
            ]
        }
        "eat_bundle" => bundles(),
        "eat_psa" => psa_tokens(),
        "eat_cca" => vec![cca_token()],
        "eat_cmw" => wrappers(),
        "tpm_answer" => tpm_answers(),
        "tpm_quote" => {
            let (attest, signature) = tpm_parts(TPM_QUOTED);
            let len = u16::try_from(attest.len()).expect("short").to_be_bytes();
            vec![[[7; 16].as_slice(), &len, &attest, &signature].concat()]
        }
        "tpm_public" => vec![tpm_key()],
        "tpm_parsec" => vec![parsec()],
        "ear_cwt" => vec![result(cast)],
        "ear_jwt" => {
            let result = result(cast);
            let signed = eat::SignedResult::decode_cwt(&result).expect("our own");
            vec![signed.unverified().sign_jwt(&cast.verifier, b"verifier").expect("a result").into_bytes()]
        }
        "mud" => vec![MUD_FILE.to_vec()],
        "mud_announcement" => {
            let url = b"https://maker.example/cam.json";
            let length = url.len() as u8;
            let heads: [&[u8]; 3] =
                [&[161, length], &[0, 112, 0, length], &[0xfe, length + 4, 0x00, 0x00, 0x5e, 1]];
            let label = "[)>\u{1e}06\u{1d}12NB000Maker\u{1f}B002MC-2\u{1f}M180https://maker.example/\u{1f}\u{1e}\u{4}";
            let mut made = heads.map(|head| [head, url].concat()).to_vec();
            made.push(label.as_bytes().to_vec());
            made
        }
        "mud_client_hello" => CLIENT_HELLOS.map(<[u8]>::to_vec).to_vec(),
        "trust_override" => vec![
            signed_override(),
            an_override().encode(),
            an_approval(cast).encode(),
            an_approval_of_a_file().encode(),
        ],
        "trust_scan" => vec![a_scan(cast).sign(&key(7)), a_scan(cast).encode()],
        "trust_policy" => {
            let signer = cose::thumbprint(key(7).public_key(), HashAlgorithm::Sha256);
            let scan = |tool| trust::RequiredScan { key: signer, tool };
            let scans = vec![scan(None), scan(Some("scanner".into()))];
            vec![Policy::default().encode(), Policy { scans, ..Policy::default() }.encode()]
        }
        "trust_bundle" => vec![bundle(cast)],
        "device_state" => {
            let mut record = boot_state();
            // The decoder's reader adds the checksum itself.
            record.truncate(record.len() - HashAlgorithm::Sha256.len());
            vec![record]
        }
        "gateway_frame" => gateway_side::frames(),
        "gateway_log" => gateway_side::logs(&PACKETS),
        "gateway_dns" => vec![gateway_side::answer()],
        "gateway_radius" => gateway_side::packets(),
        "gateway_flow" => PACKETS.iter().map(|packet| testkit::hex(packet)).collect(),
        other => panic!("{other} has no input of its own"),
    };
    made.into_iter().enumerate().map(|(index, bytes)| (format!("own-{index}"), bytes)).collect()
}

/// One advisory of each format.
const ADVISORIES: [&str; 3] = [
    include_str!("advisories/osv.json"),
    include_str!("advisories/csaf.json"),
    include_str!("advisories/openvex.json"),
];

/// Questions, a range, and two versions.
const QUERIES: [&str; 4] = [
    "openssl < 3.0.14",
    "pkg:deb/debian/zlib?distro=debian-12 >= 1:1.2.13.dfsg-1",
    "vers:deb/>=1%3A1.2|<1:1.3|!=1:1.2.5",
    "1.0.0-rc.1+x|1.0.0",
];

/// Randomness of which nobody asks more than that it is there.
fn ones(bytes: &mut [u8]) {
    bytes.fill(1);
}

fn agreement_key() -> crypto::AgreementKey {
    crypto::AgreementKey::from_bytes(crypto::AgreementCurve::P256, &[5; 32]).expect("a scalar")
}

/// One message for a device and a group with each algorithm for content.
fn encrypted() -> Vec<Vec<u8>> {
    let device = agreement_key().public_key().clone();
    let device = cose::RecipientKey::agreement(device, crypto::KeyWrapAlgorithm::A128Kw, b"device");
    let device = device.expect("on P-256");
    let group =
        crypto::KeyWrapKey::from_bytes(crypto::KeyWrapAlgorithm::A256Kw, &[5; 32]).expect("its length");
    let group = cose::RecipientKey::key_wrap(group, b"group");
    let made = crypto::ContentAlgorithm::IN_PIECES.into_iter().map(|algorithm| {
        let builder = cose::EncryptBuilder::new(algorithm).recipient(&device).recipient(&group).salt(b"salt");
        builder.encrypt(b"payload", &mut ones)
    });
    made.collect::<Result<_, _>>().expect("encrypts")
}

/// Public keys with a signature each: every width, and two levels; and a state without its digest.
fn hash_based() -> Vec<Vec<u8>> {
    let one = |ots| vec![(LmsType::H5, ots)];
    let two = vec![(LmsType::H5, LmotsType::W4); 2];
    let keys = LmotsType::ALL.into_iter().map(one).chain([two]);
    let mut made: Vec<Vec<u8>> = keys
        .map(|levels| {
            let mut key = HssSigningKey::from_seed(&levels, &[5; 32]).expect("heights that are signed with");
            let public = key.public_key().as_bytes().to_vec();
            let reserved = key.reserve().expect("unused");
            let stored = reserved.state().to_vec();
            let signature = reserved.confirm(&stored).and_then(|key| key.sign(HSS_MESSAGE)).expect("signs");
            [public, signature].concat()
        })
        .collect();
    let key = HssSigningKey::from_seed(&one(LmotsType::W1), &[5; 32]).expect("a height that is signed with");
    let state = key.encode();
    made.push(state[..state.len() - HashAlgorithm::Sha256.len()].to_vec());
    made
}

/// A statement that a scan of our release found nothing.
fn a_scan(cast: &Cast) -> trust::Scan {
    trust::Scan {
        release: Digest::of(HashAlgorithm::Sha256, &cast.envelope(1, APPLICATION)),
        tool: "scanner".into(),
        tool_version: "1.2.3".into(),
        database: "2026-01-01".into(),
        database_time: Some(NOW - 100),
        scanned_at: NOW,
        findings: 0,
        expires: NOW + 1000,
    }
}

fn result(cast: &Cast) -> Vec<u8> {
    let releases = Releases::of([cast.release(1, APPLICATION)]);
    let references = References { releases: &releases, without: &[], denied: &[], tampered: None };
    cast.attest(&cast.evidence(APPLICATION), &references, &Policy::default())
}

fn bundle(cast: &Cast) -> Vec<u8> {
    let release = cast.release(1, APPLICATION);
    let bundle = Bundle {
        device: vec![1; 17],
        decision: vec![0xa0],
        policy: Policy::default().encode(),
        now: NOW,
        result: Some(result(cast)),
        evidence: Some(BundledEvidence {
            evidence: cast.evidence(APPLICATION),
            nonce: cast.nonce().as_bytes().to_vec(),
            key: cose::Key::from_public(cast.device.public_key()).encode(),
        }),
        releases: vec![BundledRelease {
            envelope: release.without_images(),
            accepted_at: NOW,
            standing: Standing::Current,
        }],
        overrides: vec![signed_override()],
        hold: Some(Hold {
            restriction: Restriction::UpdateOnly,
            person: "operator".into(),
            why: "odd".into(),
            until: Some(NOW),
        }),
        ..Bundle::default()
    };
    bundle.encode()
}

/// As RIOT writes them (draft 09): no tag, and the digest in the signature alone.
fn old_envelope(cast: &Cast) -> Vec<u8> {
    const SHA256: i64 = 2;
    let manifest = Writer::encode(|w| {
        w.map(5).int(1).uint(1).int(2).uint(7).int(3);
        w.wrap(|w| {
            w.map(2).int(2).array(1).array(1).bytes(b"app").int(4);
            w.wrap(|w| {
                w.array(4).int(20).map(1).int(3);
                w.wrap(|w| {
                    let digest = Digest::of(HashAlgorithm::Sha256, APPLICATION);
                    w.array(2).int(SHA256).bytes(digest.as_bytes());
                });
                w.int(1).uint(15);
            });
        });
        w.int(9).wrap(|w| {
            w.array(6).int(19).map(1).int(21).text("#42").int(21).uint(2).int(3).uint(15);
        });
        w.int(10).wrap(|w| {
            w.array(2).int(3).uint(15);
        });
    });
    let item = Writer::encode(|w| {
        w.bytes(&manifest);
    });
    let digest = Writer::encode(|w| {
        w.array(2).int(SHA256).bytes(Digest::of(HashAlgorithm::Sha256, &item).as_bytes());
    });
    let block = cose::Sign1Builder::new().sign(&cast.author, &digest);
    Writer::encode(|w| {
        w.map(3).int(2).wrap(|w| {
            w.array(1).bytes(&block);
        });
        w.int(3).raw(&item).int(42).bytes(APPLICATION);
    })
}

/// Reference values, a rule about them, a series and domains of one device.
fn manifest() -> corim::Corim {
    use corim::{
        ConditionalTriple, DomainTriple, Measurement, SeriesItem, SeriesTriple, Triples, ValuesTriple,
    };
    let environment = |number: u64| {
        let class = corim::Class {
            vendor: Some("northlight.example".into()),
            layer: Some(number),
            ..Default::default()
        };
        corim::Environment { class: Some(class), ..Default::default() }
    };
    let digest = Digest::of(HashAlgorithm::Sha256, APPLICATION);
    let image = Measurement::new(corim::MeasurementValues {
        digests: vec![digest.into()],
        svn: Some(corim::Svn::Min(3)),
        raw_value: Some(corim::RawValue::Masked { value: vec![1, 2], mask: vec![0xff, 0] }),
        int_range: Some(corim::IntRange::Range(None, Some(5))),
        ..Default::default()
    });
    let named =
        Measurement::new(corim::MeasurementValues { name: Some("good".into()), ..Default::default() });
    let triple = |number, measurement: &Measurement| ValuesTriple {
        environment: environment(number),
        measurements: vec![measurement.clone()],
    };
    let triples = Triples {
        reference: vec![triple(0, &image), triple(1, &image)],
        endorsed: vec![triple(0, &named)],
        conditional: vec![ConditionalTriple {
            conditions: vec![triple(0, &named)],
            endorsements: vec![triple(1, &named)],
        }],
        conditional_series: vec![SeriesTriple {
            environment: environment(1),
            measurements: vec![],
            authorized_by: vec![],
            series: vec![SeriesItem { condition: vec![named.clone()], addition: vec![named] }],
        }],
        membership: vec![DomainTriple {
            domain: environment(2),
            others: vec![environment(0), environment(1)],
        }],
        ..Triples::default()
    };
    let identity = corim::TagIdentity { id: corim::TagId::Uuid([7; 16]), version: 1 };
    let comid = corim::Comid::new(identity, triples);
    corim::Corim::new(corim::TagId::Text("northlight/1".into()), vec![corim::Tag::Comid(comid)])
}

/// What is expected of that device, asked and answered.
fn answer() -> corim::Coserv {
    let triples = manifest().comids().next().expect("a module tag").triples.clone();
    let authorities = vec![corim::CryptoKey::Bytes(b"maker".to_vec())];
    let quad = |triple| corim::Quad { authorities: authorities.clone(), triple };
    let class =
        triples.reference.iter().find_map(|triple| triple.environment.class.clone()).expect("a class");
    let classes = vec![corim::Stateful { environment: class, measurements: vec![] }];
    corim::Coserv {
        profile: corim::Profile::Uri("tag:northlight.example,2026:camera".into()),
        query: corim::CoservQuery::Environments {
            artifacts: corim::ArtifactType::ReferenceValues,
            selector: corim::EnvironmentSelector::Classes(classes),
            form: corim::ResultType::Both,
        },
        results: Some(corim::CoservResults {
            reference: Some(triples.reference.into_iter().map(quad).collect()),
            sources: vec![vec![0x82, 0x01, 0x41, 0xaa]],
            expiry: NOW,
            ..corim::CoservResults::default()
        }),
    }
}

fn signed_manifest(cast: &Cast) -> Vec<u8> {
    let meta = corim::SignerMeta::new("maker").valid(Some(NOW - 10), NOW + 10);
    manifest().sign(&meta, &cast.author, b"author").expect("a manifest")
}

fn component() -> MeasuredComponent {
    let digest = Digest::of(HashAlgorithm::Sha256, APPLICATION);
    let measurement = Measurement::Digest(digest);
    MeasuredComponent { name: "app".into(), version: None, measurement, authorities: vec![], flags: None }
}

/// A manifest with a dependency in its envelope, which both fetch, write, check, report and give up.
fn trust_domains(cast: &Cast) -> Vec<u8> {
    use suit::{Condition, Directive, Parameter, ReportingPolicy, Section, SequenceBuilder};
    let name = |text: &str| text.parse::<suit::ComponentId>().expect("a component");
    let (always, seq) = (ReportingPolicy::ALWAYS, SequenceBuilder::new);
    let write = |content| {
        seq().override_parameters(&[Parameter::Content(content)]).directive(Directive::Write, always)
    };
    let unlink = || seq().directive(Directive::Unlink, always);
    let mut inner = suit::ManifestBuilder::new(1);
    inner
        .component(name("app"))
        .section(Section::Install, write(b"inner"))
        .section(Section::Uninstall, unlink());
    let mut dependency = inner.build(HashAlgorithm::Sha256).expect("a manifest");
    dependency.sign(&cast.author, Some(b"author"));
    let mut outer = suit::ManifestBuilder::new(1);
    outer.component(name("fw")).component(name("dep")).dependency(1, Some(name("in")));
    let about = [Parameter::ImageDigest(dependency.manifest_digest()), Parameter::Uri("#dep")];
    outer.shared(seq().component(1).override_parameters(&about));
    let check = || seq().component(1).condition(Condition::DependencyIntegrity, always);
    let process = || seq().directive(Directive::ProcessDependency, always);
    let fetch = seq().component(1).directive(Directive::Fetch, always);
    outer.section(
        Section::Install,
        fetch.then(&check()).then(&process()).component(0).try_each(&[write(b"outer"), process()], true),
    );
    outer.section(Section::Invoke, check().component(0).directive(Directive::Invoke, always));
    outer.section(Section::Uninstall, check().then(&unlink()).component(0).then(&unlink()));
    let mut envelope = outer.build(HashAlgorithm::Sha256).expect("a manifest");
    envelope.payload("#dep", &dependency.to_bytes()).sign(&cast.author, Some(b"author"));
    envelope.to_bytes()
}

/// A voucher as it is made, and as it is sold, with a key in either encoding and every kind of instruction.
fn vouchers(cast: &Cast) -> Vec<Vec<u8>> {
    use fdo::{Directive, Header, Hmac, Instruction, KeyEncoding, PublicKey, RendezvousInfo, Voucher};
    let algorithm = HashAlgorithm::Sha256;
    let certificate = cast.certificate.as_der();
    let made = |encoding| {
        let hash = Digest::of(algorithm, certificate);
        let instructions = vec![
            Instruction::DeviceOnly,
            Instruction::IpAddress([127, 0, 0, 1].into()),
            Instruction::DevicePort(443),
            Instruction::Dns("rv.northlight.example".into()),
            Instruction::ServerCertificate(hash),
            Instruction::UserInput(true),
            Instruction::WifiPassword(fdo::WifiPassword::new("password")),
            Instruction::Medium(20),
            Instruction::Protocol(fdo::Protocol::Https),
            Instruction::Delay(60),
            Instruction::External(vec![0x81, 0x61, 0x61]),
            Instruction::Unknown { variable: 99, value: None },
        ];
        let header = Header {
            guid: fdo::Guid([5; 16]),
            rendezvous: RendezvousInfo { directives: vec![Directive { instructions }] },
            device_info: CLASS.into(),
            manufacturer: PublicKey::new(cast.author.public_key(), encoding).expect("of a type"),
            certificates: hash,
        };
        let header = header.encode();
        let hmac = Hmac::of(algorithm, b"secret", &header);
        Voucher::assemble(&header, &hmac, &[certificate]).expect("a voucher")
    };
    let made = [KeyEncoding::X509, KeyEncoding::CoseKey].map(made);
    let sold = made.each_ref().map(|made| {
        let voucher = Voucher::decode(made).expect("our own");
        voucher.extend(key(2).public_key()).and_then(|next| next.sign(&cast.author)).expect("the owner")
    });
    [made, sold].concat()
}

/// What a device reports of a release: that it went well, signed, and how it failed, bare.
fn suit_reports(cast: &Cast) -> Vec<Vec<u8>> {
    let release = suit::VerifiedManifest::verify(cast.envelope(1, APPLICATION), &cast.authorities());
    let release = release.expect("our own");
    let verified = release.open();
    let mut device = crate::model::Model::new(cast.authorities(), &[]);
    let mut processor = suit::Processor::new(&verified, &mut device).expect("fits every device");
    let failed = processor.run(suit::Procedure::Invocation).expect_err("nothing is installed").report;
    let mut report = processor.run(suit::Procedure::Update).expect("installs");
    report.nonce = Some(vec![4; 8]);
    let everything =
        suit::ComponentCapability { component: "app".parse().expect("a component"), any_below: true };
    let abilities = suit::Abilities { clock: true, ..suit::Abilities::default() };
    report.capabilities = Some(suit::Capabilities::of(&abilities, vec![everything]));
    vec![report.sign(&cast.device, Some(b"device")), failed.to_bytes()]
}

fn an_override() -> Override {
    Override {
        id: [6; 16],
        scope: Scope::Device(vec![1; 17]),
        effect: Effect::Deny(Flow {
            direction: Direction::FromDevice,
            family: Family::V4,
            protocol: Protocol::Tcp,
            remote: Remote::Name("api.northlight.example".into()),
            ports: Some((443, 443)),
        }),
        author: "network operator".into(),
        reason: "maintenance".into(),
        not_before: NOW,
        expires: NOW + 3600,
    }
}

fn an_approval(cast: &Cast) -> Override {
    let release = cast.release(1, APPLICATION).manifest_digest();
    let file = Some(Digest::of(HashAlgorithm::Sha256, MUD_FILE));
    let effect = Effect::Approve(Approval { release, file });
    Override { scope: Scope::Site, effect, ..an_override() }
}

fn an_approval_of_a_file() -> Override {
    let file = Digest::of(HashAlgorithm::Sha256, MUD_FILE);
    let effect = Effect::ApproveFile { url: "https://maker.example/plug.json".into(), file };
    Override { scope: Scope::Site, effect, ..an_override() }
}

fn signed_override() -> Vec<u8> {
    an_override().sign(&key(2))
}

fn boot_state() -> Vec<u8> {
    BootState::default().encode()
}

/// Files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths
}

/// The bytes of a vector; descriptions and notes are none.
fn content(path: &Path) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("hex") => Some(testkit::hex(&String::from_utf8(bytes).expect("hexadecimal text"))),
        Some("diag" | "txt" | "md" | "tsv") => None,
        _ => Some(bytes),
    }
}

/// UDP over IPv4, TCP over IPv6, and ICMPv6 behind a hop-by-hop header.
const PACKETS: [&str; 3] = [
    "45000020000040004011 0000 0a4d000b cb00710a 9c40 01bb 000c 0000 70726f62",
    "60000000 0014 06 40 20010db8007700000000000000000011 20010db800aa00000000000000000010
     9c40 01bb 00000000 00000000 5002 ffff 0000 0000",
    "60000000 0010 00 40 20010db8007700000000000000000011 20010db800aa00000000000000000010
     3a00 050200000000 8000 0000 0001 0001",
];

/// Answers of `swtpm` to each command.
fn tpm_answers() -> Vec<Vec<u8>> {
    macro_rules! answers {
        ($($name:literal),*) => {
            vec![$(include_bytes!(concat!("../../device/tpm/tests/answers/", $name)).to_vec()),*]
        };
    }
    answers![
        "primary",
        "created",
        "loaded",
        "signature",
        "sequence",
        "updated",
        "completed",
        "public",
        "flushed",
        "handles"
    ]
}
