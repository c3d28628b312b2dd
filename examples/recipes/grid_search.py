"""Which settings of the head suit my photographs?

    python examples/recipes/grid_search.py [--n 150] [--epochs 6] [--seed 0]

The encoder is fitted first and frozen: the search fits many heads, and no encoder again. n =
people, each with one photograph and one stand-in for a generated face.
"""

import numpy as np
from _simulated import FROM_SCRATCH, command_line, people
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, check_cv

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector

GRID = {
    "head__n_components": [1, 2, 4],
    "head__covariance_type": ["diag", "full"],
    "head__target_fpr": [0.1, 0.2],
}


def search_heads(encoder, X, y, groups, *, seed=0):
    """Search over `GRID`.

    Each picture is decoded and embedded once, when a fold first needs it: the features are kept.
    With n_jobs=2 each process keeps its own, unless the encoder has a folder as memory=.
    """
    # Half of a fold's photographs set the threshold: a rate of 10 % takes 9 of them, 1 % takes 99.
    head = BladesOneClass(calibration_fraction=0.5, random_state=seed)
    search = GridSearchCV(
        make_detector(encoder, head),
        GRID,
        # The area under the curve cannot see target_fpr, which moves the threshold and no score.
        # The balanced accuracy can. It compares predictions with y: write 1 and -1 there.
        scoring=["roc_auc", "balanced_accuracy"],
        refit="balanced_accuracy",
        # Not cv=3, see `classes_tested`.
        cv=StratifiedGroupKFold(3, shuffle=True, random_state=seed),
        error_score="raise",  # by default a fit that fails is a row of nan and a warning
    )
    return search.fit(X, y, groups=groups)  # for the splitter: a person is in one fold only


def classes_tested(y, cv):
    """The classes that each fold of a plain ``cv=3`` tests a one-class detector on.

    Such a detector is no classifier, so cv=3 means KFold(3): not stratified, not shuffled. Where
    the files are sorted by class, some folds test one class only, and their roc_auc is nan.
    """
    folds = check_cv(cv, y, classifier=False).split(y, y)
    return [np.unique(y[test]).tolist() for _, test in folds]


def main(folder, n=150, epochs=6, seed=0):
    # Each seed is a set of people: for the encoder, for the search, for the test.
    encoder = BladesEncoder(**FROM_SCRATCH, max_epochs=epochs, random_state=seed)
    encoder.fit(people(n, folder, seed)[0])
    X, y, groups = people(n, folder, seed + 1, kinds=("first", "upsampling"))
    print(f"cv=3 would test the classes {classes_tested(y, 3)}\n")

    search = search_heads(encoder, X, y, groups, seed=seed)
    results = search.cv_results_
    accuracy, auc = (results[f"mean_test_{name}"] for name in ("balanced_accuracy", "roc_auc"))
    print("balanced accuracy     AUC  settings")
    for row in np.argsort(-accuracy)[:5]:
        settings = {key.removeprefix("head__"): v for key, v in results["params"][row].items()}
        print(f"{accuracy[row]:17.3f}{auc[row]:8.3f}  {settings}")

    # The best of many looks better than it is; what counts are people whom no fold has seen.
    X, y, _ = people(n, folder, seed + 2, kinds=("first", "upsampling"))
    flagged = search.predict(X) == -1
    print(
        f"\nnew people: {flagged[y == 1].mean():.1%} of photographs flagged, "
        f"{flagged[y == -1].mean():.1%} of stand-ins"
    )
    return search


if __name__ == "__main__":
    command_line(main, __doc__)
