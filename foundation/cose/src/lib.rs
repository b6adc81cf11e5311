//! COSE signatures, MACs, keys, thumbprints and trust anchors (RFC 9052, RFC 9053, RFC 9679).
