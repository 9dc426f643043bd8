#!/usr/bin/env bash
# Shows that the running API answers as docs/openapi.json says, to valid and to malformed requests: no 5xx,
# no undocumented status or content type, no body that does not fit its schema.
# Run: tests/contracts/schemathesis.sh
#   CASES=12           generated requests per operation and kind, over the fixed edge cases
#   SEED=1             another number, other requests
#   SCHEMATHESIS=...   an installed command, else it is installed for this run
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
version=4.32.5

# Each of these can end the session, lock the seeded person out, close the only workspace or use up the
# tries at a password. So each runs on its own stack and cannot disturb the others.
apart=(login logout changePassword resetPassword updateUser enrolSecondFactor confirmSecondFactor
  disableSecondFactor archiveWorkspace)

[ -f docs/openapi.json ] || { echo "docs/openapi.json is missing" >&2; exit 2; }
for operation in "${apart[@]}"; do
  grep -q "\"operationId\": \"$operation\"" docs/openapi.json || { echo "$operation is not in the document" >&2; exit 2; }
done
command -v python3 >/dev/null || { echo "python3 is missing" >&2; exit 2; }
stack=$(realpath -m "${CARGO_TARGET_DIR:-target}/debug/tanigo-local")
[ -x "$stack" ] || cargo build --locked -p tanigo-local

work=$(mktemp -d)
lanes=()
trap 'kill "${lanes[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
export SCHEMATHESIS_HOOKS=schemathesis_hooks PYTHONPATH=$root/tests/contracts PYTHONDONTWRITEBYTECODE=1

if [ -z "${SCHEMATHESIS:-}" ]; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
  SCHEMATHESIS=$work/venv/bin/schemathesis
fi

# Schemathesis brings the validator.
"$(dirname "$(command -v "$SCHEMATHESIS")")/python" "$root/tests/contracts/examples.py" docs/openapi.json

# Three ports in a row that are free now.
free_port() {
  python3 - <<'PY'
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
}

stop() {
  [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null || true
  pid=
}

# Starts a stack of the lane. The stack keeps its state beside the templates, which it finds upwards from its start folder.
# Here the state is beside these copies, not in the developer's .local/.
start() {
  stop
  mkdir -p "$lane/infra"
  cp "$root/template.yaml" "$lane"
  cp "$root"/infra/*.yaml "$lane/infra"
  url=http://127.0.0.1:$(free_port)
  export TANIGO_URL=$url
  (cd "$lane" && exec "$stack" --fresh --port "${url##*:}") >"$lane/stack.log" 2>&1 &
  pid=$!
  # Answers with shell assignments once the stack is healthy.
  local credentials
  credentials=$(python3 - "$url" "$pid" <<'PY'
import json, os, shlex, sys, time, urllib.request
url, pid = sys.argv[1], int(sys.argv[2])
for _ in range(600):
    try:
        urllib.request.urlopen(url + "/_local/health", timeout=5)
        break
    except OSError:
        os.kill(pid, 0)
        time.sleep(0.1)
else:
    sys.exit("the stack did not become healthy in a minute")
given = json.load(urllib.request.urlopen(url + "/_local/credentials"))
for name, key in [("WORKSPACE", "workspace_id"), ("EMAIL", "email"), ("PASSWORD", "password")]:
    print(f"export TANIGO_{name}={shlex.quote(given[key])}")
PY
  ) || { cat "$lane/stack.log" >&2; exit 2; }
  eval "$credentials"
}

# One run on its own stack. Options choose the operations. Its line of the summary is added to `$lane/summary`.
check() {
  local name=$1 began=$SECONDS result=ok
  shift
  printf '\n=== %s\n' "$name"
  start
  # In the lane's folder, since Hypothesis leaves files where it runs.
  (cd "$lane" && $SCHEMATHESIS --config-file "$root/tests/contracts/schemathesis.toml" --no-color \
    run "$root/docs/openapi.json" --url "$url" --seed "${SEED:-1}" --max-examples "${CASES:-12}" "$@") ||
    result=FAILED
  kill -0 "$pid" 2>/dev/null || result="FAILED: the stack died"
  printf '%-24s %4d s  %s\n' "$name" $((SECONDS - began)) "$result" >>"$lane/summary"
}

# The operations of part $1, 0 to 2, without those of `apart`. A resource is in one part, so that the ids that an operation
# returns reach the others of its resource.
part() {
  python3 - "$1" "${apart[@]}" <<'PY'
import collections, json, sys
part, apart = int(sys.argv[1]), sys.argv[2:]
resources = collections.defaultdict(list)
for path, operations in json.load(open("docs/openapi.json"))["paths"].items():
    parts = path.strip("/").split("/")
    resources["/".join(parts[:2] if parts[0] == "v1" else parts[:1])] += [
        operation["operationId"] for operation in operations.values()
        if isinstance(operation, dict) and operation.get("operationId", apart[0]) not in apart]
parts = [], [], []
for _, operations in sorted(resources.items(), key=lambda item: (-len(item[1]), item[0])):
    min(parts, key=len).extend(operations)
print("\n".join(parts[part]))
PY
}

# The checks of one part of the operations, one after the other.
lane() {
  lane=$work/lane$1
  pid=
  mkdir -p "$lane"
  trap stop EXIT
  local operations index
  mapfile -t operations < <(part "$1")
  check "part $1" "${operations[@]/#/--include-operation-id=}"
  # The lists beside it give it ids that exist.
  for ((index = $1; index < ${#apart[@]}; index += 3)); do
    check "${apart[index]}" "--include-operation-id=${apart[index]}" --include-operation-id=listUsers \
      --include-operation-id=listWorkspaces
  done
}

# A lane uses less than one core, and the parts differ in their cost: three lanes fill two cores.
for number in 0 1 2; do
  (lane "$number") >"$work/lane$number.log" 2>&1 &
  lanes+=($!)
done
died=0
for number in 0 1 2; do
  wait "${lanes[number]}" || died=1
  cat "$work/lane$number.log"
done

printf '\nschemathesis, seed %s, %s cases:\n' "${SEED:-1}" "${CASES:-12}"
sed 's/^/  /' "$work"/lane?/summary
[ "$died" -eq 0 ] && ! grep -q FAILED "$work"/lane?/summary || { echo "a check failed" >&2; exit 1; }
