"""Will the promised false-alarm rate hold for a source that my detector has never seen?

    python examples/recipes/leave_one_source_out.py [--n 200] [--epochs 5] [--seed 0]

Each source of photographs is left out in turn (scikit-learn's `LeaveOneGroupOut`); a head that was
calibrated on the others judges it, as it comes and after recalibration on some of its photographs.
n = people a source.
"""

import numpy as np
from _simulated import FROM_SCRATCH, SOURCES, command_line, people
from sklearn.base import clone
from sklearn.model_selection import GroupShuffleSplit, LeaveOneGroupOut

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.evaluation import recalibrate, source_shift


def leave_one_source_out(encoder, head, X, persons, sources, *, seed=0):
    """False alarms on every source, with a head that has not seen it.

    Parameters
    ----------
    encoder : fitted BladesEncoder
    head : BladesOneClass
    X : array-like of shape (n,)
        Photographs, none of them the encoder's.
    persons, sources : array-likes of shape (n,)
        Who is in each, and where it comes from.

    Returns
    -------
    dict
        For each source two `SourceShift`: with the threshold of the other sources, and with one
        of its own. Both judge the same half of it, which neither has seen.
    """
    X, persons, sources = map(np.asarray, (X, persons, sources))
    reports = {}
    for others, left_out in LeaveOneGroupOut().split(X, groups=sources):
        # A third of the other sources, and half of this one, are for judging; by person.
        fit, known = divide(others, persons, 1 / 3, seed)
        renew, judge = divide(left_out, persons, 1 / 2, seed)
        detector = make_detector(encoder, clone(head)).fit(X[fit], head__groups=persons[fit])
        renewed = recalibrate(detector, X[renew], groups=persons[renew])
        reports[str(sources[left_out[0]])] = [
            source_shift(
                one, X[known], X[judge], groups=persons[known], other_groups=persons[judge]
            )
            for one in (detector, renewed)
        ]
    return reports


def divide(rows, persons, share, seed):
    """Rows to use and rows to hold back, no person on both sides."""
    splitter = GroupShuffleSplit(1, test_size=share, random_state=seed)
    used, held = next(splitter.split(rows, groups=persons[rows]))
    return rows[used], rows[held]


def main(folder, n=200, epochs=5, seed=0):
    # One encoder for all, from other people of the first source: only the second is wholly new to
    # the detector. Where you have the time, train one a round, on the sources that are left in.
    pretraining, _, who = people(n, folder, seed)
    encoder = BladesEncoder(**FROM_SCRATCH, max_epochs=epochs, random_state=seed)
    encoder.fit(pretraining, groups=who)

    # Other people, and different ones in each source.
    parts = [people(n, folder, seed + 1 + i, (source,)) for i, source in enumerate(SOURCES)]
    X, persons = (np.concatenate([part[i] for part in parts]) for i in (0, 2))
    sources = np.repeat(SOURCES, n)
    head = BladesOneClass(target_fpr=0.1, calibration_fraction=0.5, random_state=seed)
    reports = leave_one_source_out(encoder, head, X, persons, sources, seed=seed)

    print(f"flagged of each source, where {head.target_fpr:.0%} were promised")
    print(f"{'left out':10s}{'as it comes':>24s}{'recalibrated':>24s}{'AUC of the shift':>18s}")
    for source, (before, after) in reports.items():
        rates = [one.other.rate for one in (before, after)]
        shown = [f"{rate.value:.1%} [{rate.low:.1%}, {rate.high:.1%}]" for rate in rates]
        print(f"{source:10s}{shown[0]:>24s}{shown[1]:>24s}{before.auc.value:18.3f}")
    for source, (before, after) in reports.items():
        print(f"\n{source}, as it comes. {before.verdict}\n{source}, recalibrated. {after.verdict}")
    return reports


if __name__ == "__main__":
    command_line(main, __doc__)
