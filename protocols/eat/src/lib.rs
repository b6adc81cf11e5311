//! Entity attestation tokens (RFC 9711) and attestation results (EAR).
