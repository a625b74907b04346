"""What tests share: real programs, real registries, certificates. It starts things; it asserts nothing."""
