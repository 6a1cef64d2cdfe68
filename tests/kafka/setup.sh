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

install_java() {
  up_to_date java "$repository/bench/compare/kafka-dist.pom.xml" "$here"/clients/java/*.java && return
  echo "java clients and tools: $dir/java"
  libs=$(python3 "$repository/bench/compare/servers.py" --fetch-only --cache "$kafka_dist")
  ln -s "$libs" "$dir/java/libs"
  javac -nowarn -d "$dir/java/classes" -cp "$libs/*" "$here"/clients/java/*.java
  complete java
}

install_node() {
  up_to_date node "$here/clients/js/package.json" "$here/clients/js/package-lock.json" "$here"/clients/js/*.mjs && return
  echo "node client: $dir/node"
  cp "$here"/clients/js/package.json "$here"/clients/js/package-lock.json "$here"/clients/js/*.mjs "$dir/node/"
  (cd "$dir/node" && npm ci --silent --no-audit --no-fund)
  complete node
}

install_go() {
  up_to_date go "$here"/clients/go/go.mod "$here"/clients/go/go.sum "$here"/clients/go/*/*.go && return
  echo "go clients: $dir/go"
  (cd "$here/clients/go" && go build -mod=readonly -o "$dir/go/" ./franz ./sarama ./franz_member ./sarama_member \
    ./franz_administrator ./sarama_administrator)
  complete go
}

parts=${*:-}
if [ -z "$parts" ]; then
  have python3 && python3 -c 'import venv, ensurepip' 2>/dev/null && parts="$parts python"
  have javac && have mvn && parts="$parts java"
  have npm && have node && parts="$parts node"
  have go && parts="$parts go"
fi
for part in $parts; do
  "install_$part"
done
