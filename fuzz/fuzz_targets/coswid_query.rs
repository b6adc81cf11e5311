#![no_main]

sextant_fuzz::target!("coswid_query");
