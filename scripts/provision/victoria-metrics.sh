#!/usr/bin/env bash
# Builds VictoriaMetrics, for the tests. Usage: victoria-metrics.sh TARGET
# Takes about a minute on two cores.
set -euo pipefail
module=github.com/VictoriaMetrics/VictoriaMetrics version=v1.151.0
exec bash "$(dirname "$0")/go-program.sh" "$1" $module $version 1.26.0 app/victoria-metrics \
  -ldflags "-s -w -X $module/lib/buildinfo.Version=victoria-metrics-$version"
