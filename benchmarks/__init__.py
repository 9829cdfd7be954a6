"""taut against its peers: ``python -m benchmarks``."""
