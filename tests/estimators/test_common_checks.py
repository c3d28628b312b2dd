"""scikit-learn's own estimator checks, all of them, for both heads."""

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator
from threadpoolctl import threadpool_limits

from sklearn_blades import BladesBinary, BladesOneClass

# Most checks fit on a few dozen rows, where the one-class head says that it cannot flag anything.
# Some pass labels 0 and 1 and then predict.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning"),
    pytest.mark.filterwarnings("ignore:predict answers"),
]

HEADS = [BladesOneClass(), BladesBinary()]


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
