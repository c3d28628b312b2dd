"""Measurements: each module has one, and ``python -m benchmarks.<module>`` writes it down."""
