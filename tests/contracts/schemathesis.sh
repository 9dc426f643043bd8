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
command -v python3 >/dev/null || { echo "python3 is missing" >&2; exit 2; }
stack=$(realpath -m "${CARGO_TARGET_DIR:-target}/debug/tanigo-local")
[ -x "$stack" ] || cargo build --locked -p tanigo-local

work=$(mktemp -d)
pid=
stop() {
  [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null || true
  pid=
}
trap 'stop; rm -rf "$work"' EXIT
export SCHEMATHESIS_HOOKS=schemathesis_hooks PYTHONPATH=$root/tests/contracts PYTHONDONTWRITEBYTECODE=1

if [ -z "${SCHEMATHESIS:-}" ]; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
  SCHEMATHESIS=$work/venv/bin/schemathesis
fi

# Schemathesis brings the validator.
"$(dirname "$(command -v "$SCHEMATHESIS")")/python" "$root/tests/contracts/examples.py" docs/openapi.json

# The stack keeps its state beside the templates, which it finds upwards from its start folder. Here the state is
# beside these copies, not in the developer's .local/.
mkdir -p "$work/stack/infra"
cp template.yaml "$work/stack"
cp infra/*.yaml "$work/stack/infra"

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

start() {
  stop
  url=http://127.0.0.1:$(free_port)
  export TANIGO_URL=$url
  (cd "$work/stack" && exec "$stack" --fresh --port "${url##*:}") >"$work/stack.log" 2>&1 &
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
  ) || { cat "$work/stack.log" >&2; exit 2; }
  eval "$credentials"
}

summary=()
failed=0
# One run on its own stack. Options choose the operations.
check() {
  local name=$1 began=$SECONDS result=ok
  shift
  printf '\n=== %s\n' "$name"
  start
  # In the temporary folder, since Hypothesis leaves files where it runs.
  (cd "$work" && $SCHEMATHESIS --config-file "$root/tests/contracts/schemathesis.toml" --no-color \
    run "$root/docs/openapi.json" --url "$url" --seed "${SEED:-1}" --max-examples "${CASES:-12}" "$@") || {
    result=FAILED
    failed=$((failed + 1))
  }
  kill -0 "$pid" 2>/dev/null || { result="FAILED: the stack died"; failed=$((failed + 1)); }
  summary+=("$(printf '%-24s %4d s  %s' "$name" $((SECONDS - began)) "$result")")
}

operations=$(python3 - <<'PY'
import json
for path in json.load(open("docs/openapi.json"))["paths"].values():
    for operation in path.values():
        if isinstance(operation, dict) and "operationId" in operation:
            print(operation["operationId"])
PY
)
present=()
for operation in "${apart[@]}"; do
  if grep -qx "$operation" <<<"$operations"; then
    present+=("$operation")
  else
    summary+=("$(printf '%-24s         not in the document' "$operation")")
  fi
done

check "all others" "${present[@]/#/--exclude-operation-id=}"
# The lists beside it give it ids that exist.
for operation in "${present[@]}"; do
  check "$operation" "--include-operation-id=$operation" --include-operation-id=listUsers \
    --include-operation-id=listWorkspaces
done

printf '\nschemathesis, seed %s, %s cases:\n' "${SEED:-1}" "${CASES:-12}"
printf '  %s\n' "${summary[@]}"
[ "$failed" -eq 0 ] || { echo "$failed failed" >&2; exit 1; }
