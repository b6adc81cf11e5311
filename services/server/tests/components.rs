//! Expected stands beside measured for each component: on the page, in the API, and in agreement with the reasons.

mod common;

use common::{Device, Maker, Site, hex, manifest_digest};
use crypto::{Digest, HashAlgorithm};
use serde_json::{Value, json};

struct World {
    site: Site,
    device: Device,
    releases: [String; 2],
}

type Components<'a> = &'a [(&'static str, &'a [u8])];

const ONE: Components<'_> = &[("app", b"app one"), ("boot", b"loader"), ("model", b"weights")];
const TWO: Components<'_> = &[("app", b"app two"), ("boot", b"loader two"), ("model", b"weights")];

impl World {
    fn new() -> Self {
        let (site, maker, device) = (Site::new(), Maker::new(), Device::new(1));
        site.put_authorities(&maker);
        let one = maker.release_with_components("1.0.0", 1, ONE);
        let two = maker.release_with_components("1.1.0", 2, TWO);
        for release in [&one, &two] {
            site.publish(release).expect(201);
        }
        site.enrol(&[&device]).expect(201);
        let releases = [one, two].map(|release| hex(manifest_digest(&release).as_bytes()));
        Self { site, device, releases }
    }

    fn attest(&self, components: Components<'_>, names: Option<usize>) -> Value {
        let (location, session) = self.site.session();
        let named = names.map(|index| {
            let digits = &self.releases[index];
            let bytes: Vec<u8> = (0..digits.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
                .collect();
            Digest::new(HashAlgorithm::Sha256, &bytes).unwrap()
        });
        self.site
            .submit(&location, &self.device.evidence_of(&session.nonce.0, components, named))
            .expect(200);
        self.site.device(&self.device)
    }

    fn page(&self) -> String {
        let path = format!("/devices/{}", self.device.ueid());
        self.site.get(&path).expect(200).text()
    }
}

fn rows(shown: &Value) -> Vec<(&str, &str)> {
    let rows = shown["comparison"]["components"].as_array().unwrap().iter();
    rows.map(|row| (row["component"].as_str().unwrap(), row["verdict"].as_str().unwrap())).collect()
}

fn codes(shown: &Value) -> Vec<&str> {
    shown["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect()
}

/// The rows of the table: what stands between `Component` and the end of each.
fn table(page: &str) -> Vec<&str> {
    let section =
        page.split_once("<section id=\"components\"").unwrap().1.split("</section>").next().unwrap();
    section.split("<tr data-row>").skip(1).collect()
}

#[test]
fn page_and_api_set_every_component_beside_the_release_that_matches() {
    let world = World::new();
    let before = world.site.device(&world.device);
    assert_eq!(before.get("comparison"), None);
    assert!(world.page().contains("It has not said yet what it runs."));

    let shown = world.attest(TWO, None);
    assert_eq!(rows(&shown), [("app", "same"), ("boot", "same"), ("model", "same")]);
    let against = json!({ "release": world.releases[1], "version": "1.1.0", "chosen": "matched" });
    assert_eq!(shown["comparison"]["against"], against);
    let first = &shown["comparison"]["components"][0];
    assert_eq!(
        (&first["expected"]["digest"], &first["expected"]["size"]),
        (&first["measured"]["digest"], &json!(7))
    );
    let page = world.page();
    let shown = table(&page);
    assert_eq!(shown.len(), 3);
    assert!(shown.iter().all(|row| row.contains(">=<") && row.contains(">Same<")));
    assert!(page.contains("Compared with <b><bdi>1.1.0</bdi></b>"));
}

#[test]
fn evidence_that_matches_no_release_is_set_beside_the_one_it_names_or_the_nearest() {
    let world = World::new();
    let altered: Components<'_> = &[("app", b"evil"), ("boot", b"loader"), ("plug", b"in")];
    for (names, chosen, version, expected) in [
        (
            None,
            "nearest",
            "1.0.0",
            [("app", "differs"), ("boot", "same"), ("model", "missing"), ("plug", "unknown")],
        ),
        (
            Some(1),
            "named",
            "1.1.0",
            [("app", "differs"), ("boot", "differs"), ("model", "missing"), ("plug", "unknown")],
        ),
    ] {
        let shown = world.attest(altered, names);
        assert_eq!(rows(&shown), expected);
        let against = &shown["comparison"]["against"];
        assert_eq!((&against["chosen"], &against["version"]), (&json!(chosen), &json!(version)));
        let wrong = expected.iter().filter_map(|(_, verdict)| match *verdict {
            "differs" => Some("digest-mismatch"),
            "missing" => Some("component-missing"),
            "unknown" => Some("component-unknown"),
            _ => None,
        });
        assert_eq!(codes(&shown), wrong.collect::<Vec<_>>());
        let page = world.page();
        let shown = table(&page);
        let words = ["Differs", "Not measured", "Not in the release"];
        assert!(
            words.iter().all(|word| shown.iter().any(|row| row.contains(&format!(">{word}<")))),
            "{page}"
        );
        assert!(shown[0].contains("≠") && shown[0].contains("dg good") && shown[0].contains("dg bad"));
        assert!(shown[2].contains("Measured </span>nothing"), "{}", shown[2]);
    }
}

#[test]
fn the_table_follows_denied_digests_without_new_evidence() {
    let world = World::new();
    assert_eq!(codes(&world.attest(ONE, None)), [""; 0]);
    let digest = Digest::of(HashAlgorithm::Sha256, b"loader").to_string();
    let deny = json!({ "digest": digest, "reason": "it leaks" });
    world.site.post("/api/v1/denied", deny).expect(201);
    world.site.until("denied", || codes(&world.site.device(&world.device)) == ["digest-denied"]);
    let shown = world.site.device(&world.device);
    assert_eq!(rows(&shown), [("app", "same"), ("boot", "denied"), ("model", "same")]);
    assert!(table(&world.page())[1].contains(">Denied everywhere<"));
}
