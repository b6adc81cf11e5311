//! Manufacturer usage descriptions (RFC 8520): model, lint, policy compiler, packet oracle.
