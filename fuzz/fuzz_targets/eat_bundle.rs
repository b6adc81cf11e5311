#![no_main]

sextant_fuzz::target!("eat_bundle");
