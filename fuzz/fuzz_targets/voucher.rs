#![no_main]

sextant_fuzz::target!("voucher");
