"""Presets of the encoder: the settings that documentation names, and what overrides them."""

import inspect

import pytest
from sklearn.base import clone

from sklearn_blades import BladesEncoder
from sklearn_blades.estimators.presets import AS_PUBLISHED, FROM_IMAGENET, FROM_SCRATCH

PRESETS = [
    (BladesEncoder.from_scratch, FROM_SCRATCH),
    (BladesEncoder.from_imagenet, FROM_IMAGENET),
    (BladesEncoder.as_published, AS_PUBLISHED),
]


@pytest.mark.parametrize(("make", "settings"), PRESETS)
def test_a_preset_is_an_encoder_with_these_parameters(make, settings):
    encoder = clone(make(max_epochs=3, batch_size=8))
    params = encoder.get_params()
    expected = {**BladesEncoder().get_params(), **settings, "max_epochs": 3, "batch_size": 8}
    assert type(encoder) is BladesEncoder
    assert params == expected
    encoder._validate_params()
    with pytest.raises(TypeError, match="epochs"):
        make(epochs=3)


@pytest.mark.parametrize(("make", "settings"), PRESETS)
def test_its_settings_are_parameters_and_not_changed(make, settings):
    assert settings.keys() <= inspect.signature(BladesEncoder).parameters.keys()
    with pytest.raises(TypeError):
        settings["lr"] = 1


def test_a_subclass_makes_its_own():
    class Mine(BladesEncoder):
        pass

    assert type(Mine.from_scratch()) is Mine
    assert Mine.as_published(pretrained="weights.pth").pretrained == "weights.pth"


def test_from_scratch_learns(photos):
    encoder = BladesEncoder.from_scratch(
        face_locator="whole", max_epochs=1, image_size=32, random_state=0
    ).fit(photos[:12])
    assert encoder.lr_ == 1.5e-3
    assert encoder.transform(photos[:2]).shape == (2, 128)
