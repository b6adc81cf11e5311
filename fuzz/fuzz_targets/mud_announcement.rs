#![no_main]

sextant_fuzz::target!("mud_announcement");
