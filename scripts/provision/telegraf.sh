#!/usr/bin/env bash
# Builds Telegraf from its Go module with the plugins that the benchmarks and the tests use. Usage: telegraf.sh TARGET
# Needs go; takes about a minute on two cores.
set -euo pipefail
target=$1
version=v1.37.2

mkdir -p "$(dirname "$target")"
exec 9>"$target.lock"
flock 9                                   # two runs at once: the second waits and finds the result
[ -x "$target" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > go.mod <<END
module telegraf-for-tests

go 1.25.0

require github.com/influxdata/telegraf $version
END
GOFLAGS="-buildvcs=false -mod=mod" CGO_ENABLED=0 nice go build -trimpath \
  -tags custom,inputs.libvirt,inputs.influxdb_listener,inputs.influxdb_v2_listener,outputs.influxdb,outputs.influxdb_v2,outputs.file,serializers.influx \
  -ldflags "-s -w -X github.com/influxdata/telegraf/internal.Version=${version#v}" \
  -o telegraf github.com/influxdata/telegraf/cmd/telegraf
./telegraf --version
mv telegraf "$target.new"
mv "$target.new" "$target"
