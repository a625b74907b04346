"""Signatures and verdicts, judged in numbered steps: pure, with trust and clock as arguments.

Nothing here fetches, reads a file or knows the time. `signature` verifies one bundle by one key, `match` finds the
signatures that a policy entry demands, `demand` the verdict that a deploy stage demands.
"""
