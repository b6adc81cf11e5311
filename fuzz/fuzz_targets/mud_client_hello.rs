#![no_main]

sextant_fuzz::target!("mud_client_hello");
