#!/usr/bin/env bash
# Makes a small Debian with systemd, for tests of packages. Takes about a minute. Usage: debian-root.sh DIRECTORY
set -euo pipefail
target=$1
. "$(dirname "$0")/lock.sh"
[ -e "$target" ] && exit 0

rm -rf "$target.new"                      # of a run that was interrupted
debootstrap --variant=minbase --include=systemd-sysv,dbus bookworm "$target.new" > /dev/null
rm -rf "$target.new"/var/cache/apt/archives/*.deb "$target.new"/var/lib/apt/lists/*
mv "$target.new" "$target"
