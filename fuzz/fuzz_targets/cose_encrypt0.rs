#![no_main]

sextant_fuzz::target!("cose_encrypt0");
