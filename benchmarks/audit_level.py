"""How often the confound audit speaks where there is nothing to find, and where there is something.

``python -m benchmarks.audit_level [--audits 200]``. Cues are those of simulated photographs, read
from their files once. A null audit draws 120 of them and deals labels at random: to files, or to
groups of ten files that are neighbours in bytes a pixel, as one source's files are. A planted cue
is bytes a pixel shifted until its area is 0.74, which the audit once did not find. Whole audits,
trees included: some 2 s each.
"""

import argparse
import tempfile

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import binomtest

from sklearn_blades.datasets import make_photos
from sklearn_blades.evaluation.confounds.cues import CATEGORICAL, NUMERIC, read_cues
from sklearn_blades.evaluation.confounds.report import ConfoundReport

from ._measure import save

NULL = "files", "groups"
N, GROUP = 60, 10
SHIFT = 0.91  # standard deviations: area 0.74 for two normal distributions


def audit(values, kind, seed):
    """The first words of one audit's verdict."""
    rng = np.random.default_rng([seed, 7])
    rows = rng.choice(len(values["bytes_per_pixel"]), 2 * N, replace=False)
    groups = np.arange(2 * N)
    if kind == "groups":
        rows = rows[np.argsort(values["bytes_per_pixel"][rows])]
        groups = groups // GROUP
    sides = np.repeat([True, False], (groups[-1] + 1) // 2)
    photographs = rng.permutation(sides)[groups]
    part = {name: column[rows] for name, column in values.items()}
    if kind == "planted":
        cue = part["bytes_per_pixel"]
        part["bytes_per_pixel"] = cue + SHIFT * cue.std() * photographs
    return ConfoundReport.of(part, photographs, groups, seed).verdict.split(":")[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audits", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [read_cues(path) for path in make_photos(600, folder, random_state=0)]
    values = {name: np.array([row[name] for row in rows]) for name in (*NUMERIC, *CATEGORICAL)}
    found = {}
    for kind, n_audits in (("planted", options.audits // 4), *[(k, options.audits) for k in NULL]):
        words = Parallel(options.jobs)(
            delayed(audit)(values, kind, seed) for seed in range(n_audits)
        )
        n = words.count("Confounded")
        low, high = binomtest(n, len(words)).proportion_ci()
        counts = {word: words.count(word) for word in dict.fromkeys(sorted(words))}
        found[kind] = {"audits": len(words), **counts, "confounded_95": [low, high]}
        print(
            f"{kind}: {n} of {len(words)} confounded [{low:.1%}, {high:.1%}]; {counts}", flush=True
        )
    save("audit_level", {}, **found)


if __name__ == "__main__":
    main()
