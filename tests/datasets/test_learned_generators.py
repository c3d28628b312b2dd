"""The learned generators: files like photographs', pictures of nobody in the training set."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from benchmarks import train_generators as training
from benchmarks._course import Studio
from benchmarks.train_generators import TRAINING_SEED
from sklearn_blades.datasets import make_photos
from sklearn_blades.datasets.simulator import learned, networks
from sklearn_blades.datasets.simulator.learned import LEARNED
from sklearn_blades.photos import read_exif

WEIGHTS = Path(learned.__file__).parent / "weights"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("learned")


@pytest.fixture(scope="module")
def photographs(folder):
    return {
        source: make_photos(12, folder, source=source, random_state=7)
        for source in ("first", "second")
    }


@pytest.fixture(scope="module")
def drawn(folder):
    return {
        (name, source): make_photos(12, folder, source=source, generated=name, random_state=7)
        for name in LEARNED
        for source in ("first", "second")
    }


def small(paths, side=24):
    """Pictures as vectors, shape (n, 3 * side * side), levels in [0, 1]."""
    images = [Image.open(path).resize((side, side), Image.Resampling.BOX) for path in paths]
    return np.array([np.asarray(image, float).ravel() / 255 for image in images])


def content(paths):
    return [Path(path).read_bytes() for path in paths]


# Files


def test_names(drawn, folder):
    assert drawn["diffusion", "second"][3] == str(folder / "second-diffusion-00003.jpg")


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("source", ["first", "second"])
def test_files_are_as_those_of_photographs(photographs, drawn, name, source):
    """Mode, width, sampling, tables and comment of each, picture by picture."""

    def form(path):
        with Image.open(path) as image:
            layers = [layer[1:3] for layer in image.layer]
            return (
                image.format,
                image.mode,
                image.size,
                layers,
                image.quantization,
                image.info["comment"],
            )

    assert [form(path) for path in drawn[name, source]] == [
        form(path) for path in photographs[source]
    ]


@pytest.mark.parametrize("name", LEARNED)
def test_no_exif(drawn, name):
    for path in drawn[name, "first"]:
        assert read_exif(path) == {}
        assert b"Exif" not in Path(path).read_bytes()


# Determinism


@pytest.mark.parametrize("name", LEARNED)
def test_same_seed_same_bytes_for_any_n(tmp_path, drawn, name):
    few = content(make_photos(3, tmp_path, generated=name, random_state=7))
    many = content(drawn[name, "first"])
    assert few == many[:3]
    assert len(set(many)) == len(many)
    assert content(make_photos(1, tmp_path, generated=name, random_state=8)) != few[:1]


@pytest.mark.parametrize("name", LEARNED)
def test_global_random_state_is_left_alone(tmp_path, name):
    learned._network.cache_clear()  # building a network draws its weights first
    before = torch.get_rng_state()
    make_photos(1, tmp_path, generated=name)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_pictures(tmp_path):
    assert make_photos(0, tmp_path, generated="diffusion") == []


# Weights


def test_every_network_has_weights_of_under_two_megabytes():
    files = {path.stem: path for path in WEIGHTS.glob("*.safetensors")}
    assert set(files) == set(LEARNED) == set(networks.NETWORKS)
    for path in files.values():
        assert path.stat().st_size < 2e6
        with safe_open(path, "pt") as tensors:
            for tensor in map(tensors.get_tensor, tensors.keys()):
                assert tensor.dtype == torch.float16
                assert tensor.isfinite().all()


def test_torch_comes_with_the_first_drawing_only():
    code = (
        "import sys, tempfile\nfrom sklearn_blades.datasets import make_photos\n"
        "make_photos(1, tempfile.mkdtemp(), random_state=0)\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# What they draw


def face_and_backdrop(paths):
    """Variance over the pictures, in the middle of the face and in the upper corners."""
    pictures = small(paths).reshape(-1, 24, 24, 3)
    return pictures[:, 8:14, 9:15], pictures[:, :4, :4]


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("source", ["first", "second"])
def test_pictures_vary_as_photographs_do(photographs, drawn, name, source):
    for real, fake in zip(
        face_and_backdrop(photographs[source]), face_and_backdrop(drawn[name, source]), strict=True
    ):
        assert 0.5 < fake.std(axis=0).mean() / real.std(axis=0).mean() < 2
        assert abs(fake.mean() - real.mean()) < 0.15


@pytest.mark.parametrize("name", LEARNED)
def test_a_face_is_where_it_belongs(photographs, drawn, name):
    """The mean picture of the generator is the mean photograph, up to brightness and contrast."""
    real, fake = (
        small([*a, *b]).mean(axis=0)
        for a, b in (photographs.values(), (drawn[name, "first"], drawn[name, "second"]))
    )
    upside_down = fake.reshape(24, 24, 3)[::-1].ravel()
    # Means of 24 photographs of other people correlate by 0.79: light and backdrops vary.
    alike = np.corrcoef(real, fake)[0, 1]
    assert alike > 0.6
    assert alike > np.corrcoef(real, upside_down)[0, 1] + 0.1


def distances(some, others):
    """Root mean square differences of every pair, shape (n, m), levels in [0, 1]."""
    squares = np.square(some).mean(1)[:, None] + np.square(others).mean(1)
    return np.sqrt(np.maximum(squares - 2 * some @ others.T / some.shape[1], 0))


@pytest.mark.parametrize("name", LEARNED)
def test_no_copies_of_training_photographs(tmp_path, photographs, drawn, name):
    """Nearest training photographs are as far from drawn pictures as from new photographs."""
    training = small(make_photos(100, tmp_path, random_state=TRAINING_SEED))
    fake, real = (small(paths) for paths in (drawn[name, "first"], photographs["first"]))
    nearest, usual = (distances(rows, training).min(axis=1) for rows in (fake, real))
    assert nearest.min() > 0.5 * usual.min()
    assert distances(training[:1], training).min() < 1e-6  # a copy would be seen
    assert np.median(nearest) > 0.6 * np.median(usual)


# Training


def test_every_stage_of_the_training_runs_and_spreads_vectors_as_those_of_photographs(tmp_path):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (16, 3, networks.SIDE, networks.SIDE), dtype=np.uint8)
    studio = Studio(pictures, np.arange(16) % 2, "cpu")
    encoder, painter = training.learn_to_paint(studio, 0.01)
    plans = training.plans_of(studio, encoder, painter)
    torch.testing.assert_close(plans.mean(dim=(0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
    training.keep(training.learn_to_denoise(studio, plans, painter, 0.01), tmp_path, "diffusion")

    painter = training.painter_of(tmp_path / "diffusion.safetensors")
    before = {name: value.clone() for name, value in painter.state_dict().items()}
    encoder = training.learn_to_look(studio, painter, 0.01)
    plans = training.plans_of(studio, encoder, painter, scaled=False)
    vae = training.learn_to_dream(studio, plans, painter, 0.01)
    for name, value in vae.painter.state_dict().items():
        assert torch.equal(value, before[name])
    assert not torch.equal(vae.mean[0], vae.mean[1])
    start = torch.randn(2000, *vae.START)
    drawn = start @ vae.spread[1].T
    expected = vae.spread[1] @ vae.spread[1].T
    assert (drawn.T.cov() - expected).norm() < 0.5 * expected.norm()
    assert (vae.spread[1].diagonal() > 0).all()
