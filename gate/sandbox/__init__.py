"""Child processes under limits: scanners, CEL rules, validators of documents."""
