//! What the fuzz targets share: the decoders and the inputs of `tests/conformance`, one target each.

#![forbid(unsafe_code)]

#[allow(dead_code, reason = "the mutation tests hold decoders to more than not panicking")]
#[path = "../../tests/conformance/decoders/mod.rs"]
mod decoders;
#[path = "../../tests/conformance/fixture.rs"]
mod fixture;
#[path = "../../tests/conformance/model.rs"]
mod model;
#[path = "../../tests/conformance/seeds.rs"]
mod seeds;

use decoders::{DECODERS, Decoder};

/// The function that reads bytes as far as the decoder of this name goes.
///
/// # Panics
/// When there is no decoder of that name.
pub fn reader(name: &str) -> fn(&[u8]) -> bool {
    let found = DECODERS.iter().find(|decoder| decoder.name == name);
    found.unwrap_or_else(|| panic!("no decoder is called {name}")).read
}

/// Every decoder with the inputs it begins with.
pub fn corpora() -> impl Iterator<Item = (&'static str, Vec<(String, Vec<u8>)>)> {
    DECODERS.iter().map(|decoder: &Decoder| (decoder.name, seeds::seeds(decoder)))
}

/// The whole of a fuzz target.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        libfuzzer_sys::fuzz_target!(init: {
            // Finds the decoder once, and a misspelt name at once.
            $crate::reader($name);
        }, |data: &[u8]| {
            $crate::reader($name)(data);
        });
    };
}
