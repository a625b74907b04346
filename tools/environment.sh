#!/usr/bin/env bash
# Make .venv/ from requirements/dev.txt, every file checked against its hash, with `gate` in .venv/bin/.
#
# pip installs one package, uv, which depends on nothing: what happens does not depend on the pip that is here (resolvers of
# before 23.3 refuse a lock with extras as soon as a newer release exists), nor on what was released since. uv does the rest from
# the lock. Downloads are kept outside the checkout in uv's cache: a second checkout installs without a network, and so does the
# test that installs the built wheel into an empty environment.
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

cache=${GATE_SETUP_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/supply-chain-gate/uv}
mkdir -p "$cache"
# Users' own settings of uv (other indexes, constraints) do not change what is installed; an index is named by UV_DEFAULT_INDEX.
export UV_CACHE_DIR=$cache UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1

asked=$(grep -om1 '^uv==[^ ]*' requirements/setup.txt)
if [[ $(.venv/bin/uv --version 2>/dev/null) != "uv ${asked#uv==}"* ]]; then
  echo "environment: installing $asked"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --requirement requirements/setup.txt
fi

echo "environment: installing the locked packages and this checkout into .venv"
# What is there in the right version needs no network; an environment of before is filled again, so that the cache is whole.
again=()
[[ -f .venv/uv-cache && -d $cache/archive-v0 ]] || again=(--reinstall)
.venv/bin/uv pip install --quiet --python .venv/bin/python "${again[@]}" --require-hashes --requirement requirements/dev.txt
.venv/bin/uv pip install --quiet --python .venv/bin/python --offline --no-deps --no-build-isolation --editable .
printf '%s\n' "$cache" >.venv/uv-cache
touch .venv/.installed
