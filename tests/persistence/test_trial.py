"""What loads was asked once, without a trace; what fails there is called damaged, by name."""

import copy
import warnings

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.persistence import files, load, save
from sklearn_blades.storage.cache import cache_for
from tests.persistence.tampering import find, parts, refuse, tampered, tensor

X = np.random.default_rng(0).normal(size=(200, 4))


@pytest.fixture(scope="module")
def detector_file(photos, tmp_path_factory):
    encoder = BladesEncoder(face_locator="whole", image_size=32, max_epochs=0).fit(photos[:1])
    head = BladesOneClass(2, pca_components=3, calibration_fraction=0.7, random_state=0)
    path = tmp_path_factory.mktemp("saved") / "detector.blades"
    save(make_detector(encoder, head).fit(photos), path)
    return path


def test_huge_weights_are_damage(detector_file, tmp_path):
    """Finite, and of the right shapes: but what they make of any picture is not finite."""

    def change(content, tensors):
        tensor("visual.attnpool.c_proj.weight", lambda a: np.full_like(a, 3e38))(content, tensors)
        tensor("visual.attnpool.v_proj.weight", lambda a: np.full_like(a, 3e38))(content, tensors)
        encoder = find(content, "BladesEncoder")["parts"]
        del encoder["digest_"]

    refuse(tampered(detector_file, tmp_path, change), "digest_ of BladesEncoder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklearn_blades.persistence.building.check", lambda *_, **__: None)
        refuse(tampered(detector_file, tmp_path, change), "asked about nothing, .*NaN or infinity")


def test_parts_of_different_widths(detector_file, tmp_path):
    def change(content, tensors):
        # Another head, whole in itself, for half of the features.
        head = BladesOneClass(2, pca_components=3, random_state=0).fit(np.tile(X, (1, 16)))
        save(head, tmp_path / "head.blades")
        other, arrays = files.read_container(tmp_path / "head.blades")
        content["object"]["parts"]["steps"][1]["tuple"][1] = renumbered(other["object"])
        for name in [name for name in tensors if "steps[1]" in name]:
            del tensors[name]
        tensors.update({f"other {name}": array for name, array in arrays.items()})

    def renumbered(node):
        if isinstance(node, list):
            return [renumbered(item) for item in node]
        if not isinstance(node, dict):
            return node
        node = {key: renumbered(value) for key, value in node.items()}
        if "number" in node:
            node["number"] += 1000
        if "array" in node:
            node["array"] = f"other {node['array']}"
        return node

    refuse(tampered(detector_file, tmp_path, change), "damaged: asked about nothing, it fails")


@pytest.mark.parametrize("width", [0, -1, 10**9, 2.0, "x"])
def test_a_width_that_no_array_bears_out(width, tmp_path):
    path = tmp_path / "model.blades"
    save(Normalizer().fit(X), path)
    refuse(tampered(path, tmp_path, parts("Normalizer", n_features_in_=width)), "it fails|fit")


def test_a_head_that_was_never_fitted(tmp_path):
    path = tmp_path / "model.blades"
    save(Normalizer().fit(X), path)

    def change(content, tensors):
        content["object"] = {"object": "BladesBinary", "number": 0, "parts": {}}

    refuse(tampered(path, tmp_path, change), "damaged: asked about nothing, it fails")


def test_the_trial_leaves_no_trace(detector_file, photos):
    cache = cache_for()
    cache.clear()
    cache.resize(7_000_000, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector = load(detector_file)
    assert cache.max_bytes == 7_000_000
    assert not cache._arrays
    encoder = detector[0].estimator
    assert "transform" not in vars(encoder)
    assert detector.predict(photos[:2]).shape == (2,)


def test_a_warning_that_comes_once_is_not_used_up(tmp_path):
    with pytest.warns(SmallSampleWarning):
        head = BladesOneClass(1, random_state=0).fit(X[:20])
    save(head, tmp_path / "head.blades")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = load(tmp_path / "head.blades")
    with pytest.warns(SmallSampleWarning, match="calibration photographs"):
        again.predict(X[:1])


def test_names_of_columns_and_frames_are_back(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = make_pipeline(StandardScaler(), BladesBinary(max_epochs=1, random_state=0))
    model = copy.deepcopy(model).set_output(transform="pandas").fit(frame, X[:, 0] > 0)
    save(model, tmp_path / "model.blades")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = load(tmp_path / "model.blades")
        np.testing.assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    assert list(again[:-1].transform(frame).columns) == list("abcd")


@pytest.mark.parametrize("how", ["nan", "clip", "raise"])
def test_an_isotonic_regression_that_knows_nothing_of_nought(how, tmp_path):
    model = IsotonicRegression(out_of_bounds=how).fit([5.0, 6.0, 7.0], [0.0, 0.5, 1.0])
    save(model, tmp_path / "model.blades")
    assert load(tmp_path / "model.blades").predict([6.5]) == 0.75
