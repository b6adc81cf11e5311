//! Objects as text, as EST has them (RFC 7030, section 4).

use alloc::{string::String, vec::Vec};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::service_info::ModuleFault;

/// Base64 without line breaks.
pub(super) fn to_text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Base64 with line breaks or without, of up to so many characters. Nothing at all is refused.
pub(super) fn from_text(text: &str, limit: usize) -> Result<Vec<u8>, ModuleFault> {
    if text.len() > limit {
        return Err(ModuleFault::TooLarge);
    }
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(digits).map_err(|_| ModuleFault::Malformed)?;
    if bytes.is_empty() { Err(ModuleFault::Malformed) } else { Ok(bytes) }
}
