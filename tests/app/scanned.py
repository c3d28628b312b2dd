"""Rows and facts of a scan that never was, for the tests of its page."""

import numpy as np

from sklearn_blades.app import Row

HOSTILE = "</script><img src=x onerror='window.hit=1'><script>window.hit=1</script>"
RTL = "holiday\u202egpj.exe"
NASTY = [
    f"up/{HOSTILE}.jpg".replace("</", "<\\/"),
    f"up/{RTL}",
    "up/\"quoted' & amp;.jpg",
    "up/" + "long" * 1024 + ".jpg",
    "up/bell\x07tab\tline\nend\udcff.jpg",
    "up/{{ 7 * 7 }}{% raw %}.jpg",
]


def calibration(n=99, seed=0):
    return np.sort(np.random.default_rng(seed).normal(0, 1, n))


def facts(**more):
    scores = calibration()
    return {
        "versions": {"sklearn_blades": "0.1"},
        "detector": "ab" * 32,
        "target_fpr": 0.05,
        "confidence": None,
        "offset": float(scores[4]),
        "calibration_scores": scores.tolist(),
        "n_calibration": len(scores),
        "calibrated_on": "portraits of one studio",
        "where": ["uploads"],
        **more,
    }


def rows(n, seed=1, **more):
    """Of every ten files one is flagged; paths are numbered in the order of the scores."""
    rng = np.random.default_rng(seed)
    known = calibration()
    scores = np.sort(rng.normal(0, 1, n) - 4 * (np.arange(n) % 10 == 0))
    made = []
    for place, score in enumerate(scores):
        p = (1 + np.searchsorted(known, score, side="right")) / (len(known) + 1)
        verdict = "flagged" if score < known[4] else "not flagged"
        about = {
            "format": "JPEG",
            "width": 640,
            "height": 480 + place % 7,
            "bytes": 90_000 + place % 11,
        }
        about["exif"] = {"Make": "nikon" if place % 2 else "canon"}
        made.append(
            Row(f"uploads/{place:05d}.jpg", float(score), float(p), verdict, facts=about, **more)
        )
    return made
