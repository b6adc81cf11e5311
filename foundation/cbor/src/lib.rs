//! Strict deterministic CBOR (RFC 8949, section 4.2.1): limits, duplicate keys, raw slices.
