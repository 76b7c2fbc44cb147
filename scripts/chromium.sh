#!/usr/bin/env bash
# Prints the path of a browser that tests/html.rs can look with, installing Chromium where that is
# possible: apt-get and the rights of root. Where it is not, says so and prints nothing: the test
# then checks the page's structure alone and says that it did not look.
set -euo pipefail

find_browser() {
    local candidate
    for candidate in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
        if [ -n "$candidate" ] && command -v "$candidate"; then return 0; fi
    done
    return 1
}

if find_browser; then exit 0; fi
if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    echo "installing chromium with apt-get" >&2
    if { apt-get install -y --no-install-recommends chromium || { apt-get update && apt-get install -y --no-install-recommends chromium; }; } >&2 &&
        find_browser; then
        exit 0
    fi
fi
echo "no browser here, and none could be installed: the HTML page will not be looked at" >&2
