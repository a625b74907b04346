"""One pass over each layer of an image: hash, inflate, tar headers, bodies handed to readers.

Nothing here becomes a file that an archive names. Specification: OCI image-spec 1.1 `layer.md`, narrowed by the rules of
the checks reference, section 7.2: what two readers could read differently is refused.
"""
