//! The binary sextant: author, inspect, operate.
