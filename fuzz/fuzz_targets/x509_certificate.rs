#![no_main]

sextant_fuzz::target!("x509_certificate");
