"""Measurements.

``python -m benchmarks`` runs those of speed, and writes them down. Studies of accuracy
(`from_scratch`, `grid_search`, `head_covariances`, `head_defaults`, `one_line`, `real_results`) are
started alone: ``python -m benchmarks.one_line``.
"""
