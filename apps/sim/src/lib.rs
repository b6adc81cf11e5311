//! What surrounds real devices and gateways in a demonstration or a test: virtual networks, an application with real
//! network needs, a virtual Internet that records what arrives, and probes. [`story`] tells with them what the system is
//! for. [`fleet`] has thousands of devices in this process, to see what a server makes of them.
//!
//! Server, gateway and agent are never linked in: they are run as programs, and believed in nothing they say of themselves.

#![forbid(unsafe_code)]

mod app_image;
mod arrivals;
mod client;
mod echo;
mod error;
pub mod fleet;
mod folder;
mod forward;
mod icmp;
mod internet;
pub mod netns;
mod patience;
mod probe;
mod process;
mod reach;
pub mod story;

// Public interface
pub use app_image::{AppFlow, AppSettings, app_image, app_settings};
pub use arrivals::{Arrivals, now_ms};
pub use client::ServerPlace;
pub use echo::EchoServer;
pub use error::Error;
pub use forward::forward;
pub use internet::{Arrival, InternetSettings, serve_internet};
pub use probe::{Service, Target, probe};
pub use process::{Process, leash};
