#!/bin/sh
# dpkg gives `remove`, and rpm the number of versions that stay: an upgrade stops nothing.
set -e
if [ "$1" = remove ] || [ "$1" = 0 ]; then
  if [ -d /run/systemd/system ]; then systemctl disable --now kubevirt-telemetry.service || true; fi
fi
