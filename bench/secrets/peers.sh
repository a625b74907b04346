#!/usr/bin/env bash
# Bring the peers of the search for secrets into .bench/bin, each pinned: detect-secrets in an environment of its own,
# Gitleaks from its Go module, Trivy as tests use it. What cannot be had is said, and left out of the table.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p .bench/bin

if [[ ! -x .bench/bin/detect-secrets ]]; then
  python3 -m venv .bench/detect-secrets && .bench/detect-secrets/bin/pip install --quiet detect-secrets==1.5.0 \
    && ln -sf ../detect-secrets/bin/detect-secrets .bench/bin/detect-secrets || echo "bench: no detect-secrets"
fi
if command -v go >/dev/null; then
  if [[ ! -x .bench/bin/gitleaks ]]; then
    CGO_ENABLED=0 go build -C bench/secrets/gitleaks -p 1 -trimpath -o "$PWD/.bench/bin/gitleaks" \
      github.com/zricethezav/gitleaks/v8 || echo "bench: no Gitleaks"
  fi
  ln -sf "$(.venv/bin/python -c 'from tools.build import build, read_recipes; print(build(read_recipes()["trivy"]))')" \
    .bench/bin/trivy
else
  echo "bench: Go is not here, so Gitleaks and Trivy are left out"
fi
