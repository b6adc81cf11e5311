#![no_main]

sextant_fuzz::target!("gateway_radius");
