#!/usr/bin/env bash
# Starts a server over the fixtures and one over the embedded sample, and runs the JDBC tests on them.
# Arguments go to Maven: -Dtest=QueryTest runs the tests of one class.
set -euo pipefail
cd "$(dirname "$0")"
bin=${LANCEFLIGHT_BIN:-../../bin/lanceflight}
fixtures=${LANCEFLIGHT_FIXTURES:-../../../shared/laion/fixtures}
if [ ! -d "$fixtures" ]; then
  echo "the tables written by pylance are not at $fixtures; set LANCEFLIGHT_FIXTURES" >&2
  if [ "${CI:-}" = true ]; then exit 1; fi
  echo "SKIP: JDBC tests need them"
  exit 0
fi
fixtures=$(cd "$fixtures" && pwd)
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
"$bin" serve --addr 127.0.0.1:0 "$fixtures" >"$work/fixtures.out" 2>"$work/fixtures.err" &
"$bin" serve --addr 127.0.0.1:0 >"$work/sample.out" 2>"$work/sample.err" &
for _ in $(seq 200); do
  grep -q DBeaver "$work/fixtures.out" && grep -q DBeaver "$work/sample.out" && break
  sleep 0.1
done
sleep 0.2
address=$(sed -n 's/.* ready on grpc:\/\/\([^ ]*\) .*/\1/p' "$work/fixtures.out")
# A snippet is the indented lines below its title.
snippet() { awk -v t="$1" '/^# /{on=index($0,t)>0;next} on&&/^    /{print substr($0,5)}' "$work/sample.out"; }
snippet "Java, JDBC" >"$work/jdbc.txt"
snippet "DBeaver" >"$work/dbeaver.txt"
mvn -B -q --no-transfer-progress test "$@" \
  "-Dlanceflight.jdbc=jdbc:arrow-flight-sql://$address/?useEncryption=false" \
  "-Dlanceflight.fixtures=$fixtures" \
  "-Dlanceflight.snippet.jdbc=$work/jdbc.txt" "-Dlanceflight.snippet.dbeaver=$work/dbeaver.txt" || {
  echo "--- server log"; tail -n 50 "$work/fixtures.err"; exit 1
}
# Surefire is quiet when all is well; count what ran, so that nothing passes by running nothing.
ran=$(cat target/surefire-reports/*.txt | sed -n 's/^Tests run: \([0-9]*\).*/\1/p' | awk "{n+=\$1} END{print n+0}")
echo "JDBC: $ran tests passed"
[ "$ran" -gt 0 ] && { [ $# -gt 0 ] || [ "$ran" -gt 10 ]; }
