"""The admission webhook: what a cluster asks before it starts anything, answered from attestations, failing closed.

In this order: `review` parses what the API server sends, `pod_images` finds every image in it, `judge` answers about each
from memory or by `gate.pipeline.verify`, `answer` writes what the API server reads, `service` is the application that a
server runs. Everything that goes wrong is a refusal.
"""
