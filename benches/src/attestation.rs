//! What a verifier does for one device, beside the two signatures that nobody can do without.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use coswid::VersionScheme;
use crypto::SigningKey;
use suit::ComponentId;
use trust::{DraftImage, Policy, References, Release, ReleaseAnchors, ReleaseDraft, Releases};

use crate::fixture::{CLASS, Cast, VENDOR};
use crate::report::{Row, Section};
use crate::sample::{Sample, interleave, rate, time};
use crate::{Effort, fixture, machine};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let cast = Cast::new();
    let counts = [10, 1_000, effort.of(10_000, 100_000)];
    let all = Stored::make(counts[2])?;
    let [few, some, many] = counts.map(|count| Verifier::new(cast, &all, count));
    let result = few.attest(0);

    // The same lengths, so that the bound hashes as much.
    let key: SigningKey = fixture::key(30);
    let evidence = cast.evidence(&application(0));
    let signature = key.sign(&evidence);
    let mut bound = || {
        key.public_key().verify(black_box(&evidence), &signature).expect("our own signature");
        black_box(key.sign(black_box(&result)));
    };
    let (rounds, calls) = effort.of((41, 10), (601, 20));
    let [known_few, known_some, known_many, unknown_few, unknown_many, bound] = interleave(
        rounds,
        calls,
        [
            &mut few.each_known(),
            &mut some.each_known(),
            &mut many.each_known(),
            &mut few.each_unknown(),
            &mut many.each_unknown(),
            &mut bound,
        ],
    );
    let mut rows = Vec::new();
    for (count, sample) in counts.into_iter().zip([&known_few, &known_some, &known_many]) {
        let share = bound.median() / sample.median();
        rows.push(Row {
            what: format!("evidence → signed result, {count} releases of the class and as many of others"),
            figure: format!("{} on one core, {:.0} % of the bound", rate(sample.per_second()), share * 100.0),
            beside: format!("one ES256 verification and one signature: {}", rate(bound.per_second())),
            budget: Some(("≥ 60 % of the bound", share >= 0.6)),
        });
    }
    let growth = |few: &Sample, many: &Sample| many.median() / few.median() - 1.0;
    let largest = [&known_some, &known_many].map(|sample| growth(&known_few, sample));
    rows.push(Row {
        what: format!("time with {} and with {} releases, against {}", counts[1], counts[2], counts[0]),
        figure: format!("{:+.1} % and {:+.1} %", largest[0] * 100.0, largest[1] * 100.0),
        beside: format!(
            "{}, {} and {} each",
            time(known_few.median()),
            time(known_some.median()),
            time(known_many.median())
        ),
        budget: Some(("within ± 10 %", largest.iter().all(|growth| growth.abs() <= 0.1))),
    });
    rows.push(Row {
        what: format!("the same for evidence that no release covers, with {} releases", counts[2]),
        figure: format!("{} on one core", rate(unknown_many.per_second())),
        beside: format!("with {} releases: {}", counts[0], rate(unknown_few.per_second())),
        budget: None,
    });
    rows.push(Row {
        what: format!("sign and accept {} releases", 2 * counts[2]),
        figure: format!("{} on all cores, {} each of one core", time(all.seconds), time(all.of_one)),
        beside: format!(
            "{} of memory a release, {} bytes of it the envelope",
            bytes(all.memory),
            all.envelope
        ),
        budget: None,
    });
    Ok(Section::new("Evidence to result", METHOD, rows))
}

/// Releases that were signed and accepted, each by itself.
struct Stored {
    /// Of the device's class, by number.
    own: Vec<Arc<Release>>,
    /// Of others, ten a class.
    others: Vec<Arc<Release>>,
    /// To make them all.
    seconds: f64,
    /// Of one core, for one.
    of_one: f64,
    /// Bytes, for one.
    memory: usize,
    /// Bytes of one envelope.
    envelope: usize,
}

impl Stored {
    fn make(count: usize) -> Result<Self> {
        let cast = Cast::new();
        let anchors = cast.anchors();
        let before = machine::resident().context("how much memory is in use")?;
        let start = Instant::now();
        let cores = std::thread::available_parallelism().context("counting cores")?.get();
        let numbers: Vec<usize> = (0..2 * count).collect();
        let mut releases: Vec<Arc<Release>> = std::thread::scope(|scope| {
            let threads: Vec<_> = numbers
                .chunks(numbers.len().div_ceil(cores))
                .map(|chunk| {
                    scope.spawn(|| chunk.iter().map(|number| release(*number, count, &anchors)).collect())
                })
                .collect();
            let made =
                threads.into_iter().map(|thread| thread.join().expect("making releases does not panic"));
            made.collect::<Vec<Vec<_>>>().concat()
        });
        let seconds = start.elapsed().as_secs_f64();
        let memory = machine::resident().context("how much memory is in use")?.saturating_sub(before);
        let others = releases.split_off(count);
        Ok(Self {
            seconds,
            of_one: seconds * cores as f64 / (2 * count) as f64,
            memory: memory / (2 * count),
            envelope: releases.first().map_or(0, |release| release.envelope().len()),
            own: releases,
            others,
        })
    }
}

/// One of twice `count` releases; the second half is of other classes.
fn release(number: usize, count: usize, anchors: &ReleaseAnchors) -> Arc<Release> {
    let class_name = match number.checked_sub(count) {
        None => CLASS.into(),
        Some(other) => format!("another class, {}", other / OF_ANOTHER_CLASS),
    };
    let image = |component: &str, content: &[u8]| DraftImage {
        component: ComponentId::new(&[component]).expect("a component"),
        content: content.to_vec(),
        version: None,
        uri: None,
        invoke: component == "app",
    };
    let draft = ReleaseDraft {
        vendor_domain: VENDOR.into(),
        class_name,
        name: "Welcome Cam".into(),
        version: format!("1.{number}.0"),
        version_scheme: VersionScheme::Semver,
        sequence_number: number as u64 + 1,
        tag_id: None,
        supersedes: None,
        links: Vec::new(),
        // The loader is that of every release, as loaders are.
        images: vec![image("boot", b"the loader"), image("app", &application(number))],
        mud: None,
    };
    let mut envelope = draft.build().expect("a release");
    envelope.sign(&Cast::new().author, Some(b"author"));
    Arc::new(Release::accept(&envelope.to_bytes(), anchors, fixture::NOW).expect("a release"))
}

/// A verifier with so many releases of the class, and the evidence of devices that run some of them.
struct Verifier {
    cast: &'static Cast,
    releases: Releases,
    known: Vec<Vec<u8>>,
    unknown: Vec<Vec<u8>>,
    policy: Policy,
}

impl Verifier {
    fn new(cast: &'static Cast, all: &Stored, count: usize) -> Self {
        let stored = all.own.iter().take(count).chain(all.others.iter().take(count));
        let runs = |device: usize| cast.evidence(&application(device * STRIDE % count));
        let foreign = |device: usize| cast.evidence(format!("of nobody, {device}").as_bytes());
        Self {
            cast,
            releases: Releases::of(stored.cloned()),
            known: (0..DEVICES).map(runs).collect(),
            unknown: (0..DEVICES).map(foreign).collect(),
            policy: Policy::default(),
        }
    }

    fn attest_with(&self, evidence: &[u8]) -> Vec<u8> {
        let references = References { releases: &self.releases, without: &[], denied: &[], tampered: None };
        self.cast.attest(black_box(evidence), &references, &self.policy)
    }

    fn attest(&self, device: usize) -> Vec<u8> {
        self.attest_with(&self.known[device])
    }

    /// Attests the next device with every call.
    fn each_known(&self) -> impl FnMut() {
        let mut devices = self.known.iter().cycle();
        move || {
            black_box(self.attest_with(devices.next().expect("a cycle has no end")));
        }
    }

    fn each_unknown(&self) -> impl FnMut() {
        let mut devices = self.unknown.iter().cycle();
        move || {
            black_box(self.attest_with(devices.next().expect("a cycle has no end")));
        }
    }
}

fn application(number: usize) -> Vec<u8> {
    format!("the application, release {number}").into_bytes()
}

fn bytes(count: usize) -> String {
    format!("{:.1} KiB", count as f64 / 1024.0)
}

/// Releases of each other class.
const OF_ANOTHER_CLASS: usize = 10;

/// Devices whose evidence comes in turn, so that no cache holds what all of them are compared with.
const DEVICES: usize = 4096;

/// From the release of one device to that of the next: a prime, so that they are spread over all of them.
const STRIDE: usize = 7919;

const METHOD: &str = "The verifier's work as a library, on one core: decode evidence (CWT, ES256), verify signature and \
    nonce, compare the measured components with the stored releases of the class, make the trust vector, sign the result (EAR as \
    CWT, ES256). No transport and no record. Every stored release is an envelope of its own that was signed and accepted, \
    with a loader that all of them share and an application of its own; as many more are of other classes, ten each. The \
    evidence is that of 4,096 devices in turn, whose releases lie far apart. The bound is one verification and one signature \
    over messages of the same length with the same back end (aws-lc). Median of interleaved rounds.";
