#!/usr/bin/env bash
# Builds kube-router, which enforces NetworkPolicies on the nodes of the tests. Usage: kube-router.sh TARGET
# Takes a minute and a half on two cores. It runs in the namespaces of such a node only.
set -euo pipefail
exec bash "$(dirname "$0")/go-program.sh" "$1" github.com/cloudnativelabs/kube-router/v2 v2.1.0 1.25.0 cmd/kube-router \
  -ldflags "-s -w"
