#![no_main]

sextant_fuzz::target!("ear_cwt");
