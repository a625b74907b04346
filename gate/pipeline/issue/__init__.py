"""From a verdict to an attestation that others find: state, sign, record, publish, give again."""
