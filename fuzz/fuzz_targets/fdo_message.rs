#![no_main]

sextant_fuzz::target!("fdo_message");
