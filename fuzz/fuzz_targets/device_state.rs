#![no_main]

sextant_fuzz::target!("device_state");
