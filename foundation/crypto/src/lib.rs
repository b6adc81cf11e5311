//! The only crate that names a cryptography crate: one face over a soft and a fast back end.
