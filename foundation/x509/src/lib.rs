//! Certificates, chains and detached CMS signatures (RFC 5280, RFC 5652).
