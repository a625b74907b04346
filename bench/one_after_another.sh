#!/bin/sh
# What a pipeline does without the gate, one step after another: pull, scan twice, verify the build's signature, attest.
# It judges nothing: no merge, no policy, no proof that the scanners saw the image. The environment names everything.
set -eu
rm -rf pulled trivy.json grype.json grype.cdx.json
"$PYTHON" -m bench.pull "$HOST" "$REPOSITORY" "$DIGEST" "$PWD/pulled"
# shellcheck disable=SC2086 # flags are words
"$TRIVY" image --input pulled --output trivy.json $TRIVY_FLAGS
"$GRYPE" oci-dir:pulled -o json=grype.json -o cyclonedx-json=grype.cdx.json --config grype.yaml
"$COSIGN" verify --key keys/build.pub --insecure-ignore-tlog "$HOST/$REPOSITORY@$DIGEST" >/dev/null
"$COSIGN" attest --key keys/gate.key --type https://slsa.dev/verification_summary/v1 --predicate predicate.json \
  --tlog-upload=false --use-signing-config=false --yes "$HOST/$ATTESTED@$DIGEST" >/dev/null
