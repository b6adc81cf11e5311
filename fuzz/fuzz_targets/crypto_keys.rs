#![no_main]

sextant_fuzz::target!("crypto_keys");
