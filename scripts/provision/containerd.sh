#!/usr/bin/env bash
# Unpacks Debian's containerd, runc and CNI plugins, for nodes of the tests. Usage: containerd.sh DIRECTORY
# Nothing is installed, so no service starts, and another containerd of this machine stays as it is.
set -euo pipefail
target=$1
. "$(dirname "$0")/lock.sh"
[ -e "$target" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
packages="containerd runc containernetworking-plugins"
apt-get -qq download $packages || { apt-get -qq update; apt-get -qq download $packages; }
for package in *.deb; do dpkg -x "$package" root; done
root/usr/bin/containerd --version
root/usr/sbin/runc --version
rm -rf root/usr/share
rm -rf "$target.new"                      # of a copy that was interrupted
cp -a root "$target.new"
mv "$target.new" "$target"
