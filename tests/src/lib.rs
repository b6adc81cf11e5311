//! Stories over real binaries, conformance to vectors, interoperability, pages.
