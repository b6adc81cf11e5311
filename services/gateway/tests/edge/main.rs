//! What acts where a frame enters the network, against the programs that people run there.

extern crate sextant_gateway as gateway;

mod freeradius;
mod hostapd;
