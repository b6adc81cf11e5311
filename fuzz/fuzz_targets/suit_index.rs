#![no_main]

sextant_fuzz::target!("suit_index");
