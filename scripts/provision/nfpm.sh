#!/usr/bin/env bash
# Builds nFPM, which makes packages for Debian and for RPM-based distributions. Needs go. Usage: nfpm.sh TARGET
exec bash "$(dirname "$0")/go-program.sh" "$1" github.com/goreleaser/nfpm/v2 v2.45.1 1.25.0 cmd/nfpm
