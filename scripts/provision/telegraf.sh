#!/usr/bin/env bash
# Builds Telegraf with the plugins that the benchmarks and the tests use. Usage: telegraf.sh TARGET
# Takes about a minute on two cores.
set -euo pipefail
version=v1.37.2
exec bash "$(dirname "$0")/go-program.sh" "$1" github.com/influxdata/telegraf $version 1.25.0 cmd/telegraf \
  -tags custom,inputs.libvirt,inputs.influxdb_listener,inputs.influxdb_v2_listener,outputs.influxdb,outputs.influxdb_v2,outputs.file,serializers.influx \
  -ldflags "-s -w -X github.com/influxdata/telegraf/internal.Version=${version#v}"
