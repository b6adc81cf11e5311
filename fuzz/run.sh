#!/bin/sh
# Runs every target, or those named, for a bounded time each and counts: fuzz/run.sh SECONDS [TARGET]…
# Ends with a table of executions and findings; its status is 1 where any input crashed, hung or asked for too much memory.
set -eu
seconds=${1:-60}
[ $# -eq 0 ] || shift
cd "$(dirname "$0")"
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
# Instrumentation is a feature of the nightly compiler, which the stable one has too when told.
export RUSTC_BOOTSTRAP=1
[ $# -gt 0 ] || set -- $(cargo fuzz list)
./seed.sh
cargo fuzz build
# Started as they were built: a change of the sources while they run is of no concern.
host=$(rustc -vV | sed -n 's/^host: //p')
built=$(mktemp -d)
cp $(for target in "$@"; do echo "target/$host/release/$target"; done) "$built"
log=$(mktemp -d)
trap 'rm -rf "$log" "$built"' EXIT
findings=0
total=0
printf '%-24s %14s %10s %8s\n' target executions coverage findings >"$log/table"
for target in "$@"; do
    echo "== $target for $seconds s"
    found=0
    mkdir -p "artifacts/$target"
    "$built/$target" "corpus/$target" -artifact_prefix="artifacts/$target/" -max_total_time="$seconds" \
        -timeout=10 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1 >"$log/out" 2>&1 || found=1
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log/out")
    coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log/out" | tail -n 1)
    if [ -z "$executions" ] && [ "$found" = 0 ]; then
        echo "$target ran and told nothing" >&2
        found=1
    fi
    [ "$found" = 0 ] || tail -n 40 "$log/out"
    findings=$((findings + found))
    total=$((total + ${executions:-0}))
    printf '%-24s %14s %10s %8s\n' "$target" "${executions:--}" "${coverage:--}" "$found" | tee -a "$log/table"
done
echo
cat "$log/table"
echo "$# targets, $seconds s each: $total executions, $findings findings"
[ "$findings" = 0 ]
