"""scikit-learn's own estimator checks, all of them, for every head."""

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import check_classifiers_train, estimator_checks_generator
from threadpoolctl import threadpool_limits

from sklearn_blades import BladesBinary, BladesBranches, BladesHybrid, BladesOneClass

# Most checks fit on a few dozen rows, where the one-class head says that it cannot flag anything.
# Some pass labels 0 and 1 and then predict.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning"),
    pytest.mark.filterwarnings("ignore:predict answers"),
    pytest.mark.filterwarnings("ignore:.* is taken for the label of photographs"),
]

QUICK = {"max_epochs": 10, "lr": 0.01}  # tables this small are a batch an epoch: as far in a fifth

HEADS = [
    BladesOneClass(),
    BladesBinary(**QUICK),
    BladesBinary(**QUICK, target_fpr=0.05),
    BladesHybrid(binary=LogisticRegression()),  # fitted many times a fit: a quick one
    BladesBranches(),
]


def name(case):
    return getattr(getattr(case, "func", case), "__name__", type(case).__name__)


# What parametrize_with_checks does, as the list that pytest 9 asks for (scikit-learn < 1.9 hands
# it a generator).
@pytest.mark.parametrize(
    ("estimator", "check"),
    [pair for head in HEADS for pair in estimator_checks_generator(head)],
    ids=name,
)
def test_common_checks(estimator, check):
    with threadpool_limits(1):  # data this small are slower on two
        check(estimator)


class CalledAccurate(BladesBinary):
    """As it is without a promise: its tags then claim a reasonable score."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = False
        return tags


@pytest.mark.parametrize("X_dtype", ["float32", "float64"])
def test_a_promise_costs_little_accuracy(X_dtype):
    # The tag excuses it of one check: that the weights of classes decide what is predicted.
    head = CalledAccurate(target_fpr=0.05)
    with threadpool_limits(1):
        check_classifiers_train("BladesBinary", head, X_dtype=X_dtype)
