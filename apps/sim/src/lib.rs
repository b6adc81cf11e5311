//! What surrounds real devices and gateways in a demonstration or a test: an application with real network needs, and a
//! virtual Internet that records what arrives.

#![forbid(unsafe_code)]

mod app_image;
mod internet;

// Public interface
pub use app_image::{AppFlow, AppSettings, app_image, app_settings};
pub use internet::{Arrival, InternetSettings, serve_internet};
