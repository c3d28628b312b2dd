"""Are features, scores and verdicts the same to the last bit after the code was rearranged?

Run it at one commit, then at another, on one machine and with one number of threads:

    OMP_NUM_THREADS=1 python -m benchmarks.same_bits before/      # at the old commit: writes
    OMP_NUM_THREADS=1 python -m benchmarks.same_bits before/      # at the new one: compares

It uses public names only. What the first run saved as ``.blades`` files is loaded by the second.
"""

import hashlib
import json
import sys
import warnings
from pathlib import Path

import numpy as np

from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.datasets import make_photos
from sklearn_blades.evaluation import RadialPowerSpectrum, evaluate_by_generator, source_shift
from sklearn_blades.persistence import load, save


def digest(array):
    """First letters of the hash of an array's bytes."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def answers(encoder, one_class, binary, photographs, fakes):
    """Digests of everything that fitted estimators answer about the photographs."""
    both = [*photographs, *fakes]
    y = np.repeat([1, 0], [len(photographs), len(fakes)])
    made = {"features": digest(encoder.transform(both))}
    for name, detector in (("one class", one_class), ("binary", binary)):
        made[f"{name}: scores"] = digest(detector.decision_function(both))
        made[f"{name}: verdicts"] = digest(detector.predict(both).astype(int))
        report = evaluate_by_generator(detector, both, y, np.where(y, None, "a"), random_state=0)
        made[f"{name}: report"] = digest(np.array(report["a"].auc + report["a"].fpr))
    head = one_class["head"]
    made["p-values"] = digest(head.p_values(one_class[:-1].transform(both)))
    shift = source_shift(one_class, photographs[:20], photographs[20:])
    made["source shift"] = digest(np.array(shift.auc + shift.other.rate))
    scores = encoder.score_tasks(photographs)
    made["task scores"] = digest(np.array([list(score.values())[:2] for score in scores.values()]))
    return made


def main(folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    photographs = make_photos(40, folder / "photographs", random_state=0)
    fakes = make_photos(24, folder / "fakes", generated="oversmooth", random_state=1)
    warnings.simplefilter("ignore")
    settings = {"face_locator": "whole", "image_size": 64, "batch_size": 16, "random_state": 0}
    encoder = BladesEncoder(max_epochs=2, **settings).fit(photographs)
    one_class = make_detector(encoder, BladesOneClass(random_state=0)).fit(photographs)
    y = np.repeat([1, 0], [len(photographs), len(fakes)])
    binary = make_detector(encoder, BladesBinary(random_state=0)).fit([*photographs, *fakes], y)

    now = {"trained": answers(encoder, one_class, binary, photographs, fakes)}
    now["trained"]["task weights"] = digest(np.array(list(encoder.task_weights_.values())))
    spectrum = RadialPowerSpectrum(face_locator="whole").fit_transform(photographs)
    now["untrained"] = {"power spectrum": digest(spectrum)}
    saved = {"encoder": encoder, "one_class": one_class, "binary": binary}
    for name, estimator in saved.items():
        if not (folder / f"{name}.blades").exists():
            save(estimator, folder / f"{name}.blades")
    loaded = {name: load(folder / f"{name}.blades") for name in saved}
    now["saved and loaded"] = answers(*loaded.values(), photographs, fakes)

    kept = folder / "digests.json"
    if not kept.exists():
        kept.write_text(json.dumps(now, indent=1))
        print(f"kept in {kept}; run this again at another commit")
        return
    before = json.loads(kept.read_text())
    for part, digests in now.items():
        for name, value in digests.items():
            print(f"{part:18s} {name:20s} {'same' if before[part].get(name) == value else 'OTHER'}")


if __name__ == "__main__":
    main(sys.argv[1])
