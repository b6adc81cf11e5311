//! What a verifier does for one device, beside the two signatures that nobody can do without.

use std::hint::black_box;

use anyhow::Result;
use crypto::SigningKey;
use trust::{Policy, References, Release, Releases};

use crate::fixture::{APPLICATION, Cast};
use crate::report::{Row, Section};
use crate::sample::{interleave, rate};
use crate::{Effort, fixture};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let cast = Cast::new();
    let evidence = cast.evidence(APPLICATION);
    let releases = Releases::of((1..=RELEASES).map(|number| release(cast, number)));
    let references = References { releases: &releases, without: &[], denied: &[], tampered: None };
    let policy = Policy::default();
    let result = cast.attest(&evidence, &references, &policy);

    // The same lengths, so that the bound hashes as much.
    let key: SigningKey = fixture::key(30);
    let signature = key.sign(&evidence);
    let mut whole = || {
        black_box(cast.attest(black_box(&evidence), &references, &policy));
    };
    let mut bound = || {
        key.public_key().verify(black_box(&evidence), &signature).expect("our own signature");
        black_box(key.sign(black_box(&result)));
    };
    let (rounds, calls) = effort.of((41, 10), (601, 20));
    let [whole, bound] = interleave(rounds, calls, [&mut whole, &mut bound]);
    let share = bound.median() / whole.median();
    let row = Row {
        what: "evidence → signed result".into(),
        figure: format!("{} on one core, {:.0} % of the bound", rate(whole.per_second()), share * 100.0),
        beside: format!("one ES256 verification and one signature: {}", rate(bound.per_second())),
        budget: Some(("≥ 60 % of the bound", share >= 0.6)),
    };
    Ok(Section::new("Evidence to result", METHOD, vec![row]))
}

/// Release 7 of ten runs on the device.
fn release(cast: &Cast, number: u64) -> Release {
    if number == 7 {
        cast.release(number, APPLICATION)
    } else {
        cast.release(number, format!("another application, {number}").as_bytes())
    }
}

const RELEASES: u64 = 10;

const METHOD: &str = "The verifier's work as a library, on one core: decode evidence (CWT, ES256), verify signature and \
    nonce, compare the measured components with ten releases of the class, make the trust vector, sign the result (EAR as \
    CWT, ES256). No transport and no record. The bound is one verification and one signature over messages of the same \
    length with the same back end (aws-lc). Median of interleaved rounds.";
