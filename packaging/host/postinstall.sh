#!/bin/sh
# After an installation the service waits for a configuration. After an upgrade a running one goes on with the new program.
set -e
systemd-sysusers kubevirt-telemetry.conf
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart kubevirt-telemetry.service || true
fi
