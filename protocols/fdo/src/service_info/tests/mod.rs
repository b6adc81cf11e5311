//! Lists, both engines against each other, and everything that is refused.

mod certificates;
mod command;
mod devmod;
mod engines;
mod files;
mod lists;
mod pair;
mod refusals;
mod resumed;
mod vectors;
