#![no_main]

sextant_fuzz::target!("hss_signature");
