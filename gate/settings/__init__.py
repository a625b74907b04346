"""What the command line and a service share: the operator's registries, places, and signers and requirements by name."""
