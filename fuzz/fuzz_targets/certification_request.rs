#![no_main]

sextant_fuzz::target!("certification_request");
