#!/bin/sh
# Installs the Kafka clients that the tests drive, each in the version pinned beside it, into a build folder:
#   setup.sh [--dir build/kafka-clients] [python] [java] [node] [go]      (default: whatever has its toolchain here)
# A part that is installed already from the same pins is left alone.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
dir=$repository/build/kafka-clients
kafka_dist=${PYRALOG_KAFKA_DIST:-$repository/build/kafka-dist}
if [ "${1:-}" = --dir ]; then
  dir=$2
  shift 2
fi
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

have() { command -v "$1" >/dev/null 2>&1; }

# up_to_date PART INPUT...: true if PART was installed from exactly these inputs; otherwise clears the way to install it.
up_to_date() {
  part=$1
  shift
  wanted=$(cat "$@" | sha256sum)
  if [ "$(cat "$dir/$part/complete" 2>/dev/null)" = "$wanted" ]; then
    return 0
  fi
  rm -rf "${dir:?}/$part"
  mkdir -p "$dir/$part"
  return 1
}

complete() { echo "$wanted" > "$dir/$1/complete"; }

install_python() {
  up_to_date venv "$here/requirements.txt" && return
  echo "python clients: $dir/venv"
  python3 -m venv "$dir/venv"
  "$dir/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  complete venv
}

parts=${*:-}
if [ -z "$parts" ]; then
  have python3 && python3 -c 'import venv, ensurepip' 2>/dev/null && parts="$parts python"
fi
for part in $parts; do
  "install_$part"
done
