"""The mixture on a device: the same fit as in numpy, numpy at rest, and clear refusals."""

import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.mixture import GaussianMixture
from sklearn.utils import get_tags

from sklearn_blades import BladesOneClass
from sklearn_blades.heads import density
from sklearn_blades.heads.density import Shape, fit_density, log_density
from sklearn_blades.persistence import load, save

needs_dispatch = pytest.mark.skipif(
    not get_tags(GaussianMixture(init_params="random_from_data")).array_api_support,
    reason="array API dispatch of mixtures came with scikit-learn 1.8",
)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture
def dispatch(monkeypatch):
    """What users set before they start Python; scikit-learn looks when it dispatches."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@pytest.fixture(scope="module")
def photographs():
    rng = np.random.default_rng(0)
    centres = 0.5 * rng.normal(size=(4, 24))
    return (centres[rng.integers(4, size=600)] + 0.1 * rng.normal(size=(600, 24))).astype("f4")


@needs_dispatch
@pytest.mark.parametrize("pca_components", [None, 8])
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_tensors_give_the_same_density(dispatch, photographs, covariance_type, pca_components):
    X, shape = photographs.astype(float), Shape(pca_components, 7, covariance_type)
    atol = 1e-3 if covariance_type == "tied" else 1e-9  # nats; "tied" starts a little apart
    pca, mixture = fit_density(X, shape, random_state=5)
    tensor_pca, tensor_mixture = fit_density(X, shape, random_state=5, device="cpu")
    scores = log_density(X, tensor_pca, tensor_mixture)
    assert_allclose(scores, log_density(X, pca, mixture), atol=atol)
    assert tensor_mixture.n_iter_ == mixture.n_iter_
    assert tensor_mixture.get_params() == mixture.get_params()


@needs_dispatch
def test_the_best_of_several_starts_is_kept(dispatch, photographs):
    X, shape = photographs.astype(float), Shape(None, 7, "full")
    first, best, tensors = (
        fit_density(X, shape, random_state=5, n_init=n_init, device=device)[1].lower_bound_
        for n_init, device in ((1, None), (3, None), (3, "cpu"))
    )
    assert first < best - 1e-3  # seven components for four clusters: the start matters
    assert_allclose(tensors, best)


@needs_dispatch
def test_the_head_holds_numpy_and_says_the_same(dispatch, photographs, tmp_path):
    plain = BladesOneClass(random_state=0, pca_components=8).fit(photographs)
    head = BladesOneClass(random_state=0, pca_components=8, device="cpu").fit(photographs)
    assert_allclose(head.calibration_scores_, plain.calibration_scores_, rtol=1e-7)
    assert_array_equal(head.predict(photographs), plain.predict(photographs))
    for part in ("mixture_", "pca_"):
        ours, theirs = vars(getattr(head, part)), vars(getattr(plain, part))
        assert {k: type(v) for k, v in ours.items()} == {k: type(v) for k, v in theirs.items()}
    assert {type(value) for value in head.mixture_.lower_bounds_} == {np.float64}
    save(head, tmp_path / "head.blades")
    again = load(tmp_path / "head.blades")
    assert_array_equal(again.score_samples(photographs), head.score_samples(photographs))


@needs_dispatch
def test_without_a_device_the_users_dispatch_changes_nothing(dispatch, photographs):
    plain = BladesOneClass(random_state=0).fit(photographs)
    with sklearn.config_context(array_api_dispatch=True):
        head = BladesOneClass(random_state=0).fit(photographs)
        assert_array_equal(head.score_samples(photographs), plain.score_samples(photographs))


def test_auto_without_a_gpu_is_numpy(monkeypatch, photographs):
    monkeypatch.delenv("SCIPY_ARRAY_API", raising=False)  # not needed then
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    plain = BladesOneClass(random_state=0).fit(photographs)
    head = BladesOneClass(random_state=0, device="auto").fit(photographs)
    assert_array_equal(head.calibration_scores_, plain.calibration_scores_)


@needs_dispatch
def test_an_environment_without_dispatch_is_refused(monkeypatch, photographs):
    monkeypatch.delenv("SCIPY_ARRAY_API", raising=False)
    with pytest.raises(RuntimeError, match="SCIPY_ARRAY_API=1"):
        BladesOneClass(device="cpu").fit(photographs)


def test_an_older_scikit_learn_is_refused(monkeypatch, dispatch, photographs):
    tags = get_tags(GaussianMixture(init_params="kmeans"))  # without dispatch in any version
    monkeypatch.setattr(density, "get_tags", lambda estimator: tags)
    with pytest.raises(ValueError, match=r"device='cpu'.* since 1\.8; this is .*device=None"):
        BladesOneClass(device="cpu").fit(photographs)


@needs_dispatch
def test_a_device_that_is_not_here_is_refused(dispatch, photographs):
    with pytest.raises(ValueError, match="device='cuda:99'"):
        BladesOneClass(device="cuda:99").fit(photographs)


@pytest.mark.gpu
@needs_cuda
@needs_dispatch
def test_cuda_gives_the_same_density_and_leaves_numpy(dispatch, photographs):
    plain = BladesOneClass(random_state=0, pca_components=8).fit(photographs)
    head = BladesOneClass(random_state=0, pca_components=8, device="cuda").fit(photographs)
    assert isinstance(head.mixture_.means_, np.ndarray)
    assert isinstance(head.pca_.components_, np.ndarray)
    assert_allclose(head.calibration_scores_, plain.calibration_scores_, rtol=1e-5)
