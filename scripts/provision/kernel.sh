#!/usr/bin/env bash
# Unpacks Debian's kernel for virtual machines, for guests that do a known workload. Usage: kernel.sh TARGET
# Nothing is installed: it keeps only the kernel image and the modules of the package.
set -euo pipefail
target=$1
directory=$(dirname "$target")
mkdir -p "$directory"
exec 9>"$directory.lock"
flock 9
[ -e "$target" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
[ -n "$package" ] || { echo "no kernel package is known; run apt-get update" >&2; exit 1; }
apt-get -qq download "$package"
dpkg -x "$package"_*.deb root
rm -rf "$directory/modules"
mkdir "$directory/modules"
find root/lib/modules -name '*.ko' -exec cp {} "$directory/modules/" \;
cp root/boot/vmlinuz-* "$target.new"
mv "$target.new" "$target"
