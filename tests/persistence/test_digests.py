"""A digest is of what answers, before and after a file."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from sklearn_blades import BladesEncoder, BladesOneClass
from sklearn_blades.persistence import load, save
from sklearn_blades.persistence.digests import digest


@pytest.fixture
def head():
    return BladesOneClass(random_state=0).fit(np.random.default_rng(0).normal(size=(200, 4)))


def test_a_head_keeps_it_through_a_file(head, tmp_path):
    before = digest(head)
    save(head, tmp_path / "head.blades")
    assert digest(load(tmp_path / "head.blades")) == before
    assert digest(head.set_params(target_fpr=0.2)) != before


def test_a_number_more_or_less(head):
    before = digest(head)
    head.calibration_scores_ = head.calibration_scores_ + 1e-9
    assert digest(head) != before


def test_an_encoder_has_its_own(photos):
    tiny = {"face_locator": "whole", "image_size": 32, "max_epochs": 0}
    one, same, other = (
        BladesEncoder(**tiny, random_state=seed).fit(photos[:6]) for seed in (0, 0, 1)
    )
    assert digest(one) == digest(same) != digest(other)


class Foreign(BaseEstimator):
    def __init__(self, value=0):
        self.value = value

    def fit(self, X, y=None):
        self.fitted_ = True
        return self


def test_what_no_file_holds():
    assert digest(Foreign().fit([])) == digest(Foreign().fit([])) != digest(Foreign(1).fit([]))
