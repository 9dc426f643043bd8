#!/usr/bin/env bash
# Shows that docs/openapi.json makes a usable TypeScript client: types are generated from it, a small
# client compiles against them, and its deliberate mistakes do not.
# Run: tests/contracts/typescript/check.sh   (needs Node 20 or later with npm)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
document=$here/../../../docs/openapi.json

for tool in node npm; do
  command -v "$tool" >/dev/null || {
    echo "$tool is missing: install Node.js 20 or later with npm" >&2
    exit 2
  }
done
[ -f "$document" ] || { echo "docs/openapi.json is missing" >&2; exit 2; }

# Outside the checkout, so that no node_modules is left in it.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/package.json" "$here/client.ts" "$work"
cp "$document" "$work/openapi.json"
cd "$work"

npm install --no-audit --no-fund --no-package-lock --loglevel=error
npx --no-install openapi-typescript openapi.json --output api.d.ts
npx --no-install tsc --noEmit --strict --noUncheckedIndexedAccess --target es2022 --module esnext \
  --moduleResolution bundler --lib es2022,dom,dom.iterable client.ts

echo "typescript: the client compiles, and $(grep -c '// @ts-expect-error' client.ts) mistakes do not"
