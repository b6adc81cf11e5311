//! Times this product and its peers, and writes what it measured as JSON.
//!
//! `attestation-peers-bench ROUNDS CALLS [PROGRAM]`, where the program is that of `tests/interop/veraison/bench`; the
//! benches run it and say what its figures mean.

#![forbid(unsafe_code)]

mod inputs;
mod ours;
#[path = "../../../../benches/src/sample.rs"]
#[allow(dead_code, reason = "figures are put in words elsewhere")]
mod sample;
mod veraison_go;
mod veraison_rust;

use std::time::Instant;

use serde_json::json;

use self::{inputs::Inputs, sample::Sample};

/// Something that is timed, and its name.
struct Subject<'a> {
    name: String,
    /// Seconds for so many calls.
    time: Box<dyn FnMut(u32) -> f64 + 'a>,
}

impl<'a> Subject<'a> {
    fn new(name: &str, mut call: impl FnMut() + 'a) -> Self {
        let time = move |calls| {
            let start = Instant::now();
            (0..calls).for_each(|_| call());
            start.elapsed().as_secs_f64()
        };
        Self { name: name.into(), time: Box::new(time) }
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u32>().ok());
    let (rounds, calls) = number(0).zip(number(1)).expect("ROUNDS and CALLS are numbers");
    let Some(inputs) = Inputs::load() else {
        println!("{}", json!({"skipped": "the test vectors are absent"}));
        return;
    };
    let go = words.get(2).map(|program| veraison_go::Peer::start(program, &inputs));
    let mut subjects = ours::subjects(&inputs);
    subjects.extend(veraison_rust::subjects(&inputs));
    subjects.extend(go.iter().flat_map(veraison_go::Peer::subjects));
    let mut times = vec![Vec::new(); subjects.len()];
    // In turn, so that whatever else the machine does meets all of them alike. The first round warms up.
    for round in 0..=rounds {
        for (subject, times) in subjects.iter_mut().zip(&mut times) {
            let seconds = (subject.time)(calls) / f64::from(calls);
            if round > 0 {
                times.push(seconds);
            }
        }
    }
    let figures = subjects.iter().zip(times).map(|(subject, times)| {
        let sample = Sample::new(times);
        json!({"name": subject.name, "min": sample.quantile(0.0), "median": sample.median()})
    });
    println!("{}", json!({"subjects": figures.collect::<Vec<_>>()}));
}
