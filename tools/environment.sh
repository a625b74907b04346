#!/usr/bin/env bash
# Make .venv/ from requirements/dev.txt, every file checked against its hash, with `gate` in .venv/bin/.
# The downloaded wheels are kept outside the checkout under the digest of what was asked for: a second checkout
# installs without a network, and so does the test that installs the built wheel into an empty environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=""
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
  if "$candidate" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [[ -z $python ]]; then
  echo "Python 3.11 or later with venv is needed (Debian: apt-get install python3-venv); set PYTHON=/path/to/python3" >&2
  exit 1
fi

if [[ ! -x .venv/bin/python ]]; then
  echo "environment: making .venv with $("$python" --version)"
  "$python" -m venv .venv
fi

key=$(.venv/bin/python - <<'EOF'
import hashlib, pathlib, platform, sysconfig
asked = pathlib.Path("requirements/dev.txt").read_bytes()
print(hashlib.sha256(asked + f"{platform.python_version()} {sysconfig.get_platform()}".encode()).hexdigest())
EOF
)
wheels=${GATE_TEST_WHEELS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/supply-chain-gate/wheels}/$key
if [[ ! -d $wheels ]]; then
  echo "environment: fetching the locked packages into $wheels"
  mkdir -p "$(dirname "$wheels")"
  scratch=$(mktemp -d "$(dirname "$wheels")/.fetch-XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  .venv/bin/python -m pip download --quiet --disable-pip-version-check --prefer-binary --require-hashes \
    --requirement requirements/dev.txt --dest "$scratch"
  # Another run may have been faster: its folder holds the same.
  mv "$scratch" "$wheels" 2>/dev/null || [[ -d $wheels ]]
fi

echo "environment: installing the locked packages and this checkout into .venv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-index --find-links "$wheels" --require-hashes \
  --requirement requirements/dev.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
printf '%s\n' "$wheels" >.venv/wheels
touch .venv/.installed
