#!/usr/bin/env bash
# Builds VictoriaMetrics from its Go module, for the tests. Usage: victoria-metrics.sh TARGET
# Needs go; takes about a minute on two cores.
set -euo pipefail
target=$1
version=v1.151.0

mkdir -p "$(dirname "$target")"
exec 9>"$target.lock"
flock 9                                   # two runs at once: the second waits and finds the result
[ -x "$target" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > go.mod <<END
module victoria-metrics-for-tests

go 1.26.0

require github.com/VictoriaMetrics/VictoriaMetrics $version
END
GOFLAGS="-buildvcs=false -mod=mod" CGO_ENABLED=0 nice go build -trimpath \
  -ldflags "-s -w -X github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version=victoria-metrics-$version" \
  -o victoria-metrics github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics
./victoria-metrics --version
mv victoria-metrics "$target.new"
mv "$target.new" "$target"
