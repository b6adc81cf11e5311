#![no_main]

sextant_fuzz::target!("fdo_service_info");
