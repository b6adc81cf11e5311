use crypto::{SignatureAlgorithm, SigningKey};
use x509::{CertificateBuilder, Validity};

use super::*;

const URL: &str = "https://maker.example/cam.json";

fn sources(text: &str) -> Result<Sources, String> {
    Sources::read(text, Path::new("/nowhere"))
}

#[test]
fn settings_are_read_whole() {
    let read = sources(
        r#"
        approval = "wider"
        [announced]
        mode = "laboratory"
        below = "https://lab.example/x/"
        expires = "2027-01-01T00:00:00Z"
        accept = ["dhcpv4", "lldp"]
        weak-access = "as-file"
        allow-private = ["10.0.0.0/8", "fd00::1"]
        breadth = 40
        addresses = "allow"
        [[device]]
        mac = "02:00:00:00:00:01"
        url = "https://maker.example/cam.json"
        [[file]]
        url = "https://maker.example/cam.json"
        path = "cam.json"
        "#,
    )
    .unwrap();
    assert_eq!(read.approval, ApprovalRule::Wider);
    let SiteMode::Laboratory(lab) = &read.announced.mode else { panic!("{:?}", read.announced.mode) };
    assert_eq!((lab.below.as_str(), lab.expires), ("https://lab.example/x/", 1_798_761_600));
    assert_eq!(read.announced.accept, [Announced::Dhcpv4, Announced::Lldp].into());
    assert_eq!(read.announced.weak_access, WeakAccess::AsFile);
    assert_eq!((read.announced.allow_private.len(), read.announced.breadth), (2, 40));
    let mac = Mac([2, 0, 0, 0, 0, 1]);
    assert_eq!(read.strength(mac), Strength::Strong);
    assert_eq!(read.strength(Mac([2, 0, 0, 0, 0, 2])), Strength::Weak);
    let url = read.device(mac).unwrap().url.clone();
    assert_eq!(read.file(&url).unwrap().path, Path::new("/nowhere/cam.json"));
}

#[test]
fn without_settings_nothing_is_taken_from_anybody() {
    let read = sources("").unwrap();
    assert_eq!(read.announced.mode, SiteMode::Refuse);
    assert!(read.announced.accept.is_empty() && read.announced.anchors.is_empty());
    assert_eq!(read.announced.weak_access, WeakAccess::NoMore);
}

#[test]
fn what_is_not_understood_is_refused_with_its_name() {
    for (text, said) in [
        ("approvals = \"wider\"", "approvals"),
        ("approval = \"some\"", "some"),
        ("[announced]\nmode = \"open\"", "open"),
        ("[announced]\nmode = \"laboratory\"", "below and expires"),
        ("[announced]\nmode = \"hold\"\nbelow = \"https://a.example/\"", "laboratory"),
        (
            "[announced]\nmode = \"laboratory\"\nbelow = \"https://a.example/\"\nexpires = \"2027-01-01T00:00:00\"",
            "zone",
        ),
        ("[announced]\nmode = \"hold\"\nbreadth = 101", "101"),
        ("[announced]\nmode = \"hold\"\naccept = [\"arp\"]", "arp"),
        ("[announced]\nmode = \"hold\"\nallow-private = [\"10.0.0.0/33\"]", "10.0.0.0/33"),
        ("[announced]\nmode = \"hold\"\nanchors = [\"absent.pem\"]", "absent.pem"),
        ("[[device]]\nmac = \"2:0:0:0:0:1\"\nurl = \"https://a.example/\"", "MAC"),
        ("[[device]]\nmac = \"02:00:00:00:00:01\"", "one of url, certificate and file"),
        ("[[device]]\nmac = \"02:00:00:00:00:01\"\nurl = \"http://a.example/\"", "https"),
        (
            "[[device]]\nmac = \"02:00:00:00:00:01\"\nurl = \"https://a.example/\"\n
             [[device]]\nmac = \"02:00:00:00:00:01\"\nurl = \"https://a.example/\"",
            "twice",
        ),
        (
            "[[file]]\nurl = \"https://a.example/x\"\npath = \"a\"\n[[file]]\nurl = \"https://a.example/x\"\npath = \"b\"",
            "two files",
        ),
        (
            "[[source]]\nname = \"x\"\npriority = 1\nanchors = []\nfor = \"https://a.example/\"\nbase = \"https://b.example/\"",
            "anchors",
        ),
    ] {
        let error = sources(text).expect_err(text);
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn a_device_has_the_url_and_signer_of_its_certificate_where_its_maker_vouches_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let key = |seed| SigningKey::from_bytes(SignatureAlgorithm::Es256, &[seed; 32]).unwrap();
    let validity = Validity { not_before: 1_700_000_000, not_after: 1_900_000_000 };
    let authority = |seed: u8| {
        let name = format!("CN=Maker {seed}").parse().unwrap();
        let builder = CertificateBuilder::new(name, key(seed).public_key(), &[seed], validity);
        builder.authority(None).self_signed(&key(seed)).unwrap()
    };
    let device = |url: Option<&str>| {
        let name = "CN=cam 1".parse().unwrap();
        let builder = CertificateBuilder::new(name, key(9).public_key(), &[9], validity);
        let builder = builder.mud_signer("CN=Maker MUD".parse().unwrap());
        let builder = url.into_iter().fold(builder, |builder, url| builder.mud_url(url));
        builder.issued_by(&authority(1), &key(1)).unwrap()
    };
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    put("one.der", authority(1).as_der());
    put("two.der", authority(2).as_der());
    put("cam.pem", x509::pem::encode("CERTIFICATE", device(Some(URL)).as_der()).as_bytes());
    put("bare.der", device(None).as_der());
    let read = |file: &str, anchors: &str| {
        let text = format!(
            "[[device]]\nmac = \"02:00:00:00:00:01\"\ncertificate = \"{file}\"\nanchors = [{anchors}]"
        );
        Sources::read(&text, folder.path())
    };
    let sources = read("cam.pem", "\"one.der\"").unwrap();
    let known = sources.device(Mac([2, 0, 0, 0, 0, 1])).unwrap();
    assert_eq!((known.url.as_str(), known.fixed), (URL, true));
    assert_eq!(sources.signer(&known.url).unwrap().to_string(), "CN=Maker MUD");
    assert!(sources.is_fixed(&known.url));
    for (file, anchors, said) in [
        ("cam.pem", "\"two.der\"", "cam.pem"),
        ("cam.pem", "", "anchors"),
        ("bare.der", "\"one.der\"", "no MUD URL"),
        ("absent.der", "\"one.der\"", "absent.der"),
    ] {
        let error = read(file, anchors).expect_err(said);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_third_party_has_files_below_its_place_only() {
    let party = ThirdParty {
        name: "reviewer".into(),
        anchors: vec![],
        urls: "https://maker.example/".into(),
        base: url("https://reviewer.example/mud/").unwrap(),
    };
    let place = |text| party.place(&url(text).unwrap()).map(|place| place.to_string());
    assert_eq!(
        place("https://maker.example/cam/v1.json").as_deref(),
        Some("https://reviewer.example/mud/cam/v1.json")
    );
    for outside in [
        "https://maker.example/../../x",
        "https://other.example/cam.json",
        "https://maker.example.evil.example/x",
    ] {
        assert_eq!(place(outside), None, "{outside}");
    }
}
