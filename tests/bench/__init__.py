"""The benchmark's parts: load clients, baselines, figures."""
