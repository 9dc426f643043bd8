#!/usr/bin/env bash
# Signup forms and the tracking script in a real Chromium, against a stack of its own: tests/browser/*.mjs.
# Run: tests/browser/check.sh   (needs Node 20 or later with npm, and Chromium)
#   CHROMIUM=/usr/bin/chromium   the browser; by default the first one on the path
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD

browser=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[ -n "$browser" ] || {
  echo "Chromium is missing: install it (Debian: apt-get install chromium), or set CHROMIUM to its path" >&2
  exit 2
}
for tool in node npm python3; do
  command -v "$tool" >/dev/null || { echo "$tool is missing" >&2; exit 2; }
done
stack=$(realpath -m "${CARGO_TARGET_DIR:-target}/debug/tanigo-local")
[ -x "$stack" ] || cargo build --locked -p tanigo-local

work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null || true; rm -rf "$work"' EXIT

# The stack keeps its state beside the templates, which it finds upwards from its start folder.
mkdir -p "$work/stack/infra" "$work/browser"
cp template.yaml "$work/stack"
cp infra/*.yaml "$work/stack/infra"
cp tests/browser/package.json tests/browser/*.mjs "$work/browser"

# Three ports in a row that are free now.
port=$(python3 - <<'PY'
import random, socket
while True:
    first = random.randrange(20000, 32000)
    try:
        for port in range(first, first + 3):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
    except OSError:
        continue
    print(first)
    break
PY
)
export TANIGO_URL=http://127.0.0.1:$port CHROMIUM=$browser
(cd "$work/stack" && exec "$stack" --fresh --port "$port") >"$work/stack.log" 2>&1 &
pid=$!
# The browser's driver, without a browser of its own; outside the checkout, so that no node_modules is left in it.
(cd "$work/browser" && npm install --no-audit --no-fund --no-package-lock --loglevel=error)
for _ in $(seq 600); do
  curl -fsS "$TANIGO_URL/_local/health" >/dev/null 2>&1 && break
  kill -0 "$pid" 2>/dev/null || { cat "$work/stack.log" >&2; exit 2; }
  sleep 0.1
done

"$browser" --version
cd "$work/browser"
for page in forms tracking; do
  timeout 300 node "$page.mjs" || { tail -50 "$work/stack.log" >&2; echo "browser: $page failed" >&2; exit 1; }
done
echo "browser: all pages work"
