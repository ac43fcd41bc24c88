#!/usr/bin/env bash
# Builds a real InfluxDB OSS 2 from its Go module and its Rust part, for the tests. Usage: influxd2.sh TARGET
# Needs go and cargo; takes about ten minutes on two cores. The result is moved into place in one step, so an interrupted
# build leaves nothing that looks complete.
set -euo pipefail
target=$1
version=v2.7.12
flux_version=v0.196.1
. "$(dirname "$0")/lock.sh"
[ -x "$target" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat > go.mod <<EOF
module influxd-for-tests

go 1.23.0

require github.com/influxdata/influxdb/v2 $version
EOF
export GOFLAGS="-buildvcs=false -mod=mod"

# A copy, because the Go module cache is read-only, and cargo writes beside its sources.
flux=$(go mod download -json "github.com/influxdata/flux@$flux_version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
cp -r "$flux" flux
chmod -R u+w flux
rm -f flux/rust-toolchain.toml            # it pins an old compiler; any current one builds it
(
  cd flux/libflux
  # New compilers warn about old code, and the crate turns warnings into errors. Query speed does not matter here.
  RUSTFLAGS="--cap-lints warn" CARGO_TARGET_DIR="$work/rust" CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    nice cargo build --locked --release --package flux --lib
)
mkdir lib pkgconfig
cp rust/release/libflux.a lib/
cat > pkgconfig/flux.pc <<EOF
Name: Flux
Description: InfluxData's query language
Version: ${flux_version#v}
Libs: -L$work/lib -lflux -ldl -lm -lpthread
Cflags: -I$work/flux/libflux/include
EOF

PKG_CONFIG_PATH="$work/pkgconfig" nice go build -trimpath -tags sqlite_foreign_keys,sqlite_json \
  -ldflags "-s -w -X main.version=$version" -o influxd github.com/influxdata/influxdb/v2/cmd/influxd
./influxd version
mv influxd "$target.new"
mv "$target.new" "$target"
