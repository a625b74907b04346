"""Trivy and Grype: how they are run, their databases, the canaries that prove a lookup, and their pins."""
