#![no_main]

sextant_fuzz::target!("trust_scan");
