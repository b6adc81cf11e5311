//! Concise software identification tags (RFC 9393).
