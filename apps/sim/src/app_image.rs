use std::io;

use serde::{Deserialize, Serialize};

/// What separates the program from its settings in an application image.
const MARK: &[u8] = b"\nSEXTANT-APP-SETTINGS\n";

/// What the demonstration's application does on the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppSettings {
    /// Name of the product, for people.
    pub product: String,
    /// Version of the release.
    pub version: String,
    /// The flows it starts, over and over.
    pub flows: Vec<AppFlow>,
}

/// One flow that the application starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppFlow {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Name or address of the other end.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Milliseconds from one start to the next.
    pub every_ms: u64,
}

/// An application image: the program, then its settings. One file that runs, and whose every byte is measured.
pub fn app_image(program: &[u8], settings: &AppSettings) -> Vec<u8> {
    let settings = serde_json::to_vec(settings).expect("settings are plain strings and numbers");
    [program, MARK, &settings].concat()
}

/// The settings at the end of an application image.
pub fn app_settings(image: &[u8]) -> io::Result<AppSettings> {
    let at = image
        .windows(MARK.len())
        .rposition(|window| window == MARK)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "this program carries no settings"))?;
    Ok(serde_json::from_slice(&image[at + MARK.len()..])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_ride_behind_the_program() {
        let flow = AppFlow { protocol: "tcp".into(), host: "cloud.example".into(), port: 443, every_ms: 500 };
        let settings = AppSettings { product: "cam".into(), version: "1.0.0".into(), flows: vec![flow] };
        let image = app_image(b"\x7fELF...", &settings);
        assert!(image.starts_with(b"\x7fELF..."));
        assert_eq!(app_settings(&image).unwrap(), settings);
        assert!(app_settings(b"\x7fELF...").is_err());
    }
}
