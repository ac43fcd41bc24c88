#!/bin/sh
# The options of Node and of malloc are those of the image; its Dockerfile has the reasons.
export MALLOC_ARENA_MAX=2
exec /usr/lib/kubevirt-telemetry/node --disable-sigusr1 --v8-pool-size=1 --min-semi-space-size=2 \
  /usr/lib/kubevirt-telemetry/kubevirt-telemetry.js "$@"
