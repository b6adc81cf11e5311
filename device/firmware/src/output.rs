//! Lines on the standard output of the emulator.

use cortex_m_semihosting::hio;

/// How many digits a number has at most.
const DIGITS: usize = 10;

/// Writes a name and a number.
pub(crate) fn figure(name: &str, value: usize) {
    let mut digits = [b'0'; DIGITS];
    let mut first = DIGITS;
    let mut rest = value;
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
        first = place;
        if rest == 0 {
            break;
        }
    }
    line(&[name.as_bytes(), b" ", digits.get(first..).unwrap_or_default()]);
}

/// Writes one line. An emulator that takes no output has nobody to tell.
pub(crate) fn line(parts: &[&[u8]]) {
    if let Ok(mut out) = hio::hstdout() {
        for part in parts.iter().chain(&[&b"\n"[..]]) {
            let _ = out.write_all(part);
        }
    }
}
