//! HTTP types shared by server, command line and tests.
