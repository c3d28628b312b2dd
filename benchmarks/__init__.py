"""Measurements.

``python -m benchmarks`` runs those of speed, and writes them down. Studies of accuracy
(`few`, `from_scratch`, `grid_search`, `head_covariances`, `head_defaults`, `one_line`,
`real_results`, `travel`) are started alone: ``python -m benchmarks.one_line``. So is `gpu`, which
gathers what only a graphics card can show into one go of minutes.
"""
