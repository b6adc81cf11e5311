#![no_main]

sextant_fuzz::target!("tpm_answer");
