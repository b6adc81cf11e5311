//! The server: thin HTTP shells, application logic by noun, reconcilers and pages.
