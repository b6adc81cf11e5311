#!/bin/sh
# Runs every target for a bounded time: fuzz/smoke.sh SECONDS [TARGET]…
set -eu
seconds=${1:-10}
[ $# -eq 0 ] || shift
cd "$(dirname "$0")"
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
# Instrumentation is a feature of the nightly compiler, which the stable one has too when told.
export RUSTC_BOOTSTRAP=1
[ $# -gt 0 ] || set -- $(cargo fuzz list)
./seed.sh
cargo fuzz build
for target in "$@"; do
    echo "== $target for $seconds s"
    cargo fuzz run "$target" -- -max_total_time="$seconds" -timeout=10 -max_len=65536 \
        -verbosity=0 -print_final_stats=0
done
