"""The benchmark: load clients, baselines, metrics."""
