//! The dashboard: whole HTML pages that work without script, and the blocks of them that are replaced while they are open.
//!
//! Templates decide nothing. The application makes a struct of [`view`] from what it knows, with the words of [`words`];
//! a function here lays it out. Nothing here reads the store, a clock or a request.

pub mod view;
pub mod words;

pub mod assets;
pub mod attestation;
pub mod device;
pub mod devices;
pub mod entry;
pub mod network;
pub mod onboarding;
pub mod overview;

mod arc;
mod components;
mod evidence;
mod layout;
mod parts;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use maud::Markup;

/// The `Content-Security-Policy` of every page. The pages need nothing beyond it: no inline style, no inline script.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Blocks as the data of one `swap` event.
///
/// A line end within a block (the byte view has some) is for the event stream to frame; a carriage return, which the
/// stream could not carry, cannot occur, since no [`view::Text`] holds one.
pub fn swap(blocks: impl IntoIterator<Item = Markup>) -> String {
    blocks.into_iter().map(Markup::into_string).collect()
}
