//! The adapter of `suit_validator`.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    sextant_suit_conformance::serve(&sextant_suit_interop::SuitValidator)
}
