#!/usr/bin/env bash
# Fetches QuestDB from Maven Central, for the tests. Usage: questdb.sh TARGET
# Needs mvn; downloads 30 MB.
set -euo pipefail
target=$1
version=9.3.4
checksum=939bc53ab22f93dbaa6545143a6e7c536d4904c07b7f2d381e8eef10436be062
. "$(dirname "$0")/lock.sh"
[ -e "$target" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mvn --batch-mode --quiet --strict-checksums dependency:copy -Dartifact=org.questdb:questdb:$version -DoutputDirectory="$work"
echo "$checksum  $work/questdb-$version.jar" | sha256sum --check --quiet
mv "$work/questdb-$version.jar" "$target.new"
mv "$target.new" "$target"
