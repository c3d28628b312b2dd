"""Scores become tables, curves and pictures; promises are checked, traps found."""

import importlib

# Imported on first use: matplotlib and pandas are extras.
_HOMES = {
    "evaluate_by_generator": "generators",
    "report_by_generator": "generators",
    "GeneratorDisplay": "generator_display",
    "GeneratorReport": "generator_report",
    "RadialPowerSpectrum": "baselines",
    "robustness_curve": "robustness",
    "RobustnessDisplay": "robustness_report",
    "RobustnessReport": "robustness_report",
    "default_degradations": ".photos.degradations",
    "audit_confounds": "confounds",
    "ConfoundDisplay": "confound_display",
    "ConfoundReport": "confounds",
    "benjamini_hochberg": "._conformal",
    "recalibrate": "transfer",
    "source_shift": "transfer",
    "EmbeddingDisplay": "displays",
    "RocByGeneratorDisplay": "displays",
    "ScoreDisplay": "displays",
    "TaskReadingsDisplay": "displays",
    "TaskWeightsDisplay": "displays",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
