#![no_main]

sextant_fuzz::target!("suit_update_answer");
