#!/usr/bin/env bash
# Runs every fuzz target of a build directory for some seconds, two at a time: fuzz_all.sh BUILD_DIR SECONDS
# Corpora grow in BUILD_DIR/corpus; what a target fails on is kept there and named.
set -euo pipefail
build=$1
seconds=$2
[ -s "$build/fuzzers.txt" ] || { echo "no fuzz targets in $build"; exit 1; }
run_one() {
  local target=$1 name corpus
  name=$(basename "$target")
  corpus=$build/corpus/$name
  mkdir -p "$corpus"
  if "$target" -max_total_time="$2" -timeout=25 -rss_limit_mb=1024 -print_final_stats=1 \
       -artifact_prefix="$corpus/../$name-" "$corpus" >"$build/corpus/$name.log" 2>&1; then
    printf 'fuzz %-24s ok   %s executions\n' "$name" \
      "$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/corpus/$name.log")"
  else
    printf 'fuzz %-24s FAILED\n' "$name"
    tail -40 "$build/corpus/$name.log"
    return 1
  fi
}
export -f run_one
export build
xargs -P2 -I{} bash -c 'run_one {} '"$seconds" <"$build/fuzzers.txt"
