"""What operators look after: tools, databases, trust roots, keys, the cache, and a doctor."""
