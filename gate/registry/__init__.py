"""The HTTP client of container registries.

`gate.registry.client.RegistryClient` is the whole of it for other parts; the modules beside it hold one concern each.
Importing this package loads nothing.
"""
