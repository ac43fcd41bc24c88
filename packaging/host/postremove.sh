#!/bin/sh
# The configuration, the spool and its user stay, so that a package that is installed again goes on. `apt purge` removes them.
set -e
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
if [ "$1" = purge ]; then
  rm -rf /etc/kubevirt-telemetry /var/lib/kubevirt-telemetry
  userdel kubevirt-telemetry 2> /dev/null || true
fi
