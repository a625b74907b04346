#!/usr/bin/env bash
# Make an environment with the gate and its pinned dependencies, every file checked against its hash, and bring the scanners
# and their databases. What is kept from an earlier run is used again: scanners by digest, databases while they are young.
#
# GATE_HOME    where everything goes (default: RUNNER_TEMP/gate, else ~/.cache/gate-ci)
# GATE_SETUP   "all" also brings scanners and databases, "gate" only the gate (for verify, refs, secrets)
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
home=${GATE_HOME:-${RUNNER_TEMP:+$RUNNER_TEMP/gate}}
home=${home:-$HOME/.cache/gate-ci}
mkdir -p "$home"
chmod 700 "$home"

python=""
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
  if "$candidate" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [[ -z $python ]]; then
  echo "gate: Python 3.11 or later with venv is needed; set PYTHON=/path/to/python3" >&2
  exit 3
fi

lock=$(cat "$source_dir/requirements/setup.txt" "$source_dir/requirements/runtime.txt" | sha256sum | cut -c1-32)
if [[ $(cat "$home/venv/.lock" 2>/dev/null) != "$lock" ]]; then
  rm -rf "$home/venv"
  "$python" -m venv "$home/venv"
  "$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --require-hashes --requirement "$source_dir/requirements/setup.txt"
  UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 "$home/venv/bin/uv" pip install --quiet --require-hashes \
    --python "$home/venv/bin/python" --requirement "$source_dir/requirements/runtime.txt"
  printf '%s\n' "$lock" >"$home/venv/.lock"
fi
# The gate itself runs from this checkout, which the caller pinned by its commit.
"$home/venv/bin/python" - "$source_dir" <<'PY'
import pathlib, sys, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "gate-checkout.pth").write_text(sys.argv[1] + "\n", encoding="utf-8")
PY

export GATE_TOOLS_DIR=${GATE_TOOLS_DIR:-$home/tools} GATE_DB_DIR=${GATE_DB_DIR:-$home/databases}
if [[ ${GATE_SETUP:-all} == all ]]; then
  "$home/venv/bin/python" -P -m gate tools install --quiet
  # Databases that are young enough are left as they are; a policy refuses old ones.
  "$home/venv/bin/python" -P -m gate db update --quiet
fi
