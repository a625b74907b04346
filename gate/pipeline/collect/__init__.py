"""Collect evidence about an image: what does not depend on the policy."""
