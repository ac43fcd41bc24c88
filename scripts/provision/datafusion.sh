#!/usr/bin/env bash
# Installs Apache DataFusion for Python, the query engine of InfluxDB 3, into a directory of its own. Usage: datafusion.sh TARGET
# The version is that of InfluxDB 3.10. Needs python3 with pip; downloads about 90 MB and takes 290 MB on the disk.
set -euo pipefail
target=$1
. "$(dirname "$0")/lock.sh"
[ -d "$target" ] && exit 0

rm -rf "$target.new"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --only-binary :all: \
  --target "$target.new" datafusion==50.1.0 pyarrow==26.0.1
PYTHONPATH="$target.new" python3 -c "import datafusion, pyarrow"
mv "$target.new" "$target"
