"""Checks of scikit-learn that need no data, for estimators whose X is photographs.

Of those that it collects for such estimators it runs one and stops, so they are called by name.
"""

import pytest
from sklearn.utils import estimator_checks

DATA_FREE = (
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
)

each_data_free_check = pytest.mark.parametrize("name", DATA_FREE)


def run_check(name, estimator):
    """One of them, by name."""
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)
