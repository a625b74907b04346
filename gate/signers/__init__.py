"""What signs: one signer a kind of key, chosen by the key's URI.

A signer signs bytes. What may be signed, and that it was decided in this process, is the business of `gate.pipeline`.
"""
