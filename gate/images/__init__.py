"""Where images come from: a registry, a layout, an archive; the store of their blobs, and what is attached to them."""
