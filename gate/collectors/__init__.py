"""What obtains evidence: registries, layouts, archives, scanners, layers, attachments."""
