#!/bin/sh
# Fills fuzz/corpus with the test vectors (SEXTANT_VECTORS, by default ../shared/vectors beside the repository) and with
# objects of the fixture. What is there already stays.
set -eu
exec cargo run --quiet --manifest-path "$(dirname "$0")/Cargo.toml" --example seed
