"""How well will the detector that a search chooses do on people whom it has never seen?

    python examples/recipes/nested_cross_validation.py [--n 80] [--epochs 6] [--seed 0]

Nested cross-validation by person. The outer folds judge, the inner folds choose, and the head
calibrates within those: at all three splits, all pictures of a person are on one side. n = people,
each with two photographs and two stand-ins for generated faces.
"""

import numpy as np
import sklearn
from _simulated import FROM_SCRATCH, command_line, people
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_validate

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector

GRID = {"head__n_components": [1, 2], "head__covariance_type": ["diag", "full"]}


def nested(encoder, X, y, groups, *, seed=0):
    """Cross-validate a grid search; ``groups`` says who is in each picture."""
    # Groups are routed metadata: who asks for them gets them. Group splitters always ask; a head
    # does where it is told to. The frozen encoder is not fitted again and asks for nothing.
    with sklearn.config_context(enable_metadata_routing=True):
        head = BladesOneClass(
            target_fpr=0.2, calibration_fraction=0.5, random_state=seed
        ).set_fit_request(groups=True)
        inner, outer = (
            StratifiedGroupKFold(3, shuffle=True, random_state=seed + i) for i in range(2)
        )
        search = GridSearchCV(
            make_detector(encoder, head), GRID, scoring="roc_auc", cv=inner, error_score="raise"
        )
        return cross_validate(
            search,
            X,
            y,
            scoring=["roc_auc", "balanced_accuracy"],
            cv=outer,
            params={"groups": groups},
            return_estimator=True,
            return_indices=True,
            error_score="raise",
        )


def main(folder, n=80, epochs=6, seed=0):
    encoder = BladesEncoder(**FROM_SCRATCH, max_epochs=epochs, random_state=seed)
    X, _, groups = people(n, folder, seed, kinds=("first", "second"))
    encoder.fit(X, groups=groups)  # its own split, for the task weights, is by person too

    # Other people. Without groups, someone's second photograph would be judged by a detector that
    # was fitted on the first.
    X, y, groups = people(n, folder, seed + 1, ("first", "second", "upsampling", "oversmooth"))
    result = nested(encoder, X, y, groups, seed=seed)

    print("one line for each outer fold: what its search promised, and what came")
    print(f"{'inner AUC':>10s}{'outer AUC':>11s}{'balanced accuracy':>19s}  chosen")
    for fold, search in enumerate(result["estimator"]):
        chosen = {key.removeprefix("head__"): value for key, value in search.best_params_.items()}
        auc, accuracy = result["test_roc_auc"][fold], result["test_balanced_accuracy"][fold]
        print(f"{search.best_score_:10.3f}{auc:11.3f}{accuracy:19.3f}  {chosen}")
    auc = result["test_roc_auc"]
    print(f"\nAUC on people never seen: {np.mean(auc):.3f}, from {min(auc):.3f} to {max(auc):.3f}")
    return result


if __name__ == "__main__":
    command_line(main, __doc__)
