"""The oracle of `gate refs`: BuildKit's and Compose's own parsers, and the random files that both are asked about."""
