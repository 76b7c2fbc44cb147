#!/usr/bin/env bash
# Instructions a word of each stage, counted by valgrind (callgrind), against benches/instructions.tsv.
#   scripts/instructions.sh           compares; fails when a stage needs over TOLERANCE per cent more (default 5)
#   scripts/instructions.sh --write   writes the counts down
# Valgrind has no 512-bit instructions: what is counted are the 256-bit ones. Two runs of different length are
# subtracted, so that start and loading do not count.
set -euo pipefail
cd "$(dirname "$0")/.."
table=benches/instructions.tsv
tolerance=${TOLERANCE:-5}
if [ "${1:-}" != --write ] && [ ! -s "$table" ]; then
  echo "there is nothing to compare with: $table is missing; write it down first with $0 --write" >&2
  exit 2
fi
command -v valgrind >/dev/null || { echo "valgrind is not here (apt-get install valgrind)" >&2; exit 2; }
binary=$(cargo bench --locked --bench instructions --no-run --message-format=json 2>/dev/null \
  | sed -n 's/.*"name":"instructions".*"executable":"\([^"]*\)".*/\1/p' | tail -1)
[ -x "$binary" ] || { echo "the benchmark does not build: cargo bench --bench instructions --no-run" >&2; exit 2; }
count() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" "$1" "$2" 2>&1 >/dev/null \
    | sed -n 's/.*Collected *: *\([0-9]*\).*/\1/p'
}
words=$("$binary" tokens 1)
fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
printf '# stage\tinstructions a word (callgrind, 256-bit instructions, the fixture stories)\n' > "$fresh"
failed=0
for stage in tokens sentences grammar names times recognise entities places quotes citations record; do
  # The first pass fills what is kept between stories; the second and third are counted.
  one=$(count "$stage" 1)
  three=$(count "$stage" 3)
  now=$(( (three - one) / (2 * words) ))
  printf '%s\t%s\n' "$stage" "$now" >> "$fresh"
  before=$(awk -F'\t' -v stage="$stage" '$1 == stage { print $2 }' "$table" 2>/dev/null || true)
  verdict=""
  if [ -n "$before" ] && [ $((now * 100)) -gt $((before * (100 + tolerance))) ]; then
    verdict="more than $tolerance per cent over"
    failed=1
  fi
  printf '%-10s %8d a word, written down %s %s\n' "$stage" "$now" "${before:-nothing}" "$verdict"
done
if [ "${1:-}" = --write ]; then cp "$fresh" "$table"; exit 0; fi
exit "$failed"
