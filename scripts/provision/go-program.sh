#!/usr/bin/env bash
# Builds a program from its Go module, for the tests and benchmarks. Needs go.
# Usage: go-program.sh TARGET MODULE VERSION GO_VERSION PACKAGE [FLAG of go build]...
set -euo pipefail
target=$1 module=$2 version=$3 go_version=$4 package=$5
. "$(dirname "$0")/lock.sh"
[ -x "$target" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > go.mod <<END
module program-for-tests

go $go_version

require $module $version
END
GOFLAGS="-buildvcs=false -mod=mod" CGO_ENABLED=0 nice go build -trimpath "${@:6}" -o program "$module/$package"
./program --version
mv program "$target.new"
mv "$target.new" "$target"
