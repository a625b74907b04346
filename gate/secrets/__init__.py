"""The search for plaintext secrets: rules, validators, and where in an image a text may stand.

Never calls a vendor to try a secret (attack X12), and never keeps a part of one: findings carry a keyed fingerprint.
"""
