"""The camera simulator: determinism, EXIF, and a physical trace behind what it writes."""

import dataclasses
import random
from pathlib import Path

import exifread
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_blades.datasets import make_photos
from sklearn_blades.datasets.simulator.person import colour
from sklearn_blades.datasets.simulator.scene import look, sample_scene
from sklearn_blades.datasets.simulator.stand_ins import GENERATORS
from sklearn_blades.photos import read_exif
from sklearn_blades.photos.exif import CATEGORICAL_TAGS, NUMERIC_TAGS
from sklearn_blades.photos.faces import whole

LABEL = "sklearn_blades simulated photograph"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("simulated")


@pytest.fixture(scope="module")
def photographs(folder):
    return make_photos(240, folder / "first", random_state=0)


@pytest.fixture(scope="module")
def generated(folder):
    return {
        name: make_photos(60, folder / name, generated=name, random_state=1) for name in GENERATORS
    }


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image, dtype=np.float32)


def content(paths):
    return [Path(path).read_bytes() for path in paths]


# Determinism and arguments


def test_same_arguments_same_bytes_for_any_n(tmp_path):
    few = content(make_photos(2, tmp_path / "few", random_state=3))
    many = content(make_photos(4, tmp_path / "many", random_state=3))
    assert few == many[:2]
    assert len(set(many)) == 4
    assert content(make_photos(2, tmp_path / "other", random_state=4)) != few


def test_global_random_state_is_left_alone(tmp_path):
    before, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    make_photos(2, tmp_path)
    assert random.getstate() == before
    np.testing.assert_array_equal(np.random.get_state()[1], legacy[1])  # noqa: NPY002
    assert np.random.get_state()[2] == legacy[2]  # noqa: NPY002


@pytest.mark.parametrize("kind", [np.random.default_rng, np.random.RandomState])
def test_generators_are_advanced(tmp_path, kind):
    state = kind(5)
    first = content(make_photos(1, tmp_path / "a", random_state=state))
    assert content(make_photos(1, tmp_path / "b", random_state=state)) != first
    assert content(make_photos(1, tmp_path / "c", random_state=kind(5))) == first


def test_none_is_new_each_time(tmp_path):
    assert content(make_photos(1, tmp_path / "a")) != content(make_photos(1, tmp_path / "b"))


def test_names_and_folders(tmp_path):
    assert make_photos(0, tmp_path / "new" / "folder") == []
    assert (tmp_path / "new" / "folder").is_dir()
    paths = make_photos(2, tmp_path, source="second", generated="noiseless", random_state=0)
    assert paths == [str(tmp_path / f"second-noiseless-0000{i}.jpg") for i in range(2)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "third"}, "source='third': choose from 'first', 'second'"),
        ({"generated": "gan"}, "generated='gan': choose from 'upsampling', 'oversmooth', 'spe"),
        ({"random_state": -1}, "random_state=-1: None, an integer of at least 0"),
        ({"random_state": "x"}, "random_state='x': None, an integer"),
        ({"n": -1}, "n=-1: the number of pictures"),
        ({"n": 1.5}, r"n=1\.5: the number of pictures"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_photos(**{"n": 1, "folder": tmp_path / "unmade"} | arguments)
    assert not (tmp_path / "unmade").exists()


# What the files say


def test_all_tags_are_read_back(photographs):
    for path in photographs[:40]:
        tags = read_exif(path)
        assert set(tags) == {*NUMERIC_TAGS, *CATEGORICAL_TAGS}
        assert tags["ApertureValue"] == pytest.approx(tags["FNumber"], rel=1e-3)
        assert tags["ShutterSpeedValue"] == pytest.approx(tags["ExposureTime"], rel=1e-3)


def test_every_tag_varies(photographs):
    rows = [read_exif(path) for path in photographs]
    seen = {name: {row[name] for row in rows} for name in rows[0]}
    assert seen["Make"] == {"aldra", "borel", "corvid"}
    assert seen["MeteringMode"] == {"center-weighted average", "pattern", "spot"}
    assert seen["ExposureMode"] == {"auto", "auto bracket", "manual"}
    assert len(seen["ExposureProgram"]) == 5
    assert len(seen["SceneCaptureType"]) == 4
    assert len(seen["Flash"]) == len(seen["WhiteBalance"]) == 2
    assert min(len(seen[name]) for name in NUMERIC_TAGS) >= 10
    manual = {row["ExposureProgram"] == "manual" for row in rows if row["ExposureMode"] == "manual"}
    assert manual == {True}


def test_exif_types_for_pillow_and_exifread(photographs):
    with Image.open(photographs[0]) as image:
        exif = image.getexif()
        ifd = exif.get_ifd(0x8769)
        assert exif[0x0131] == LABEL
        assert image.info["comment"] == LABEL.encode()
    assert ifd[0x829A].numerator == 1
    assert isinstance(ifd[0x8827], int)
    with open(photographs[0], "rb") as file:  # noqa: PTH123
        tags = exifread.process_file(file, details=False)
    kinds = {name: tags[f"EXIF {name}"].field_type for name in NUMERIC_TAGS}
    assert kinds.pop("ISOSpeedRatings") == 3  # SHORT
    assert set(kinds.values()) <= {5, 10}  # RATIONAL, SRATIONAL


def test_generated_files_are_labelled_and_hold_no_exif(generated):
    for paths in generated.values():
        assert read_exif(paths[0]) == {}
        with Image.open(paths[0]) as image:
            assert image.info["comment"] == LABEL.encode()
            assert not image.getexif()


# The scene


def test_eyes_and_mouth_are_where_the_whole_locator_puts_them():
    """Centres of blue irises and of red lips, over people, poses and lenses."""
    rng, found = np.random.default_rng(0), []
    for focal in np.tile([24, 50, 135], 10):
        scene = sample_scene(rng)
        vivid = {"iris": colour(0, 0, 1), "lips": colour(1, 0, 0), "skin": colour(0.2, 0.2, 0.2)}
        person = dataclasses.replace(scene.person, bald=True, beard=0.0, **vivid)
        red, green, blue = look(dataclasses.replace(scene, person=person), 160, focal, 0.4).albedo
        iris, lips = np.clip(blue - green - red, 0, 1)[:100], np.clip(red - green, 0, 1)
        lips[:90] = 0  # the inner corners of the eyes are as red
        lips[130:] = 0  # and so may be the clothes
        halves = [iris[:, :80], iris[:, 80:], lips]
        found.append([ndimage.center_of_mass(np.where(half > 0.3, half, 0)) for half in halves])
    found = (np.array(found)[..., ::-1] + [[0, 0], [80, 0], [0, 0]]) / 160
    face = whole(1.6)
    np.testing.assert_allclose(found.mean(axis=0), [*face.eyes, face.mouth], atol=0.015)
    assert np.abs(found - [*face.eyes, face.mouth]).max() < 0.08


def test_flips_of_eyes_and_mouth_show(generated):
    """RMS change in levels, without noise; a template without sides would give 0."""
    changes, face = [], whole(1.6)
    for path in generated["noiseless"]:
        picture = pixels(path)
        size, half = len(picture), round(0.09 * len(picture))
        spots = [(round(x * size), round(y * size)) for x, y in (*face.eyes, face.mouth)]
        one, other, mouth = (picture[y - half : y + half, x - half : x + half] for x, y in spots)
        pairs = [(one, one[:, ::-1]), (other, other[:, ::-1])]
        pairs += [(mouth, mouth[:, ::-1]), (mouth, mouth[::-1])]
        changes.append([np.sqrt(np.mean((a - b) ** 2)) for a, b in pairs])
    assert (np.median(changes, axis=0) > 10).all()


def test_light_comes_from_one_side(generated):
    """Log ratio of the two halves of the face; either may be the brighter one."""
    balance = []
    for path in generated["noiseless"]:
        picture = pixels(path)
        size = len(picture)
        face = picture[int(0.4 * size) : int(0.7 * size), int(0.25 * size) : int(0.75 * size)]
        half = face.shape[1] // 2
        balance.append(np.log((face[:, :half].mean() + 1) / (face[:, half:].mean() + 1)))
    assert np.median(np.abs(balance)) > 0.12
    assert 0.3 < np.mean(np.array(balance) > 0) < 0.7


def test_same_seed_same_person_for_every_source(folder):
    """Mean pictures of two sources agree person by person, not across persons."""
    first = make_photos(20, folder / "pairs", random_state=6)
    second = make_photos(20, folder / "pairs", source="second", random_state=6)

    def shape(path):
        with Image.open(path) as image:
            small = np.asarray(image.convert("L").resize((24, 24)), float)[4:20, 4:20].ravel()
        return (small - small.mean()) / (small.std() + 1)

    likeness = np.array([shape(p) for p in first]) @ np.array([shape(p) for p in second]).T
    assert (likeness.argmax(axis=1) == np.arange(20)).mean() > 0.6


# What a linear probe finds


def residuals(plane):
    """Absolute differences between a plane and its blurred copies, at two scales."""
    fine, coarse = (ndimage.gaussian_filter(plane, sigma, truncate=2.5) for sigma in (0.7, 1.4))
    return [np.abs(plane - fine)[::2, ::2], np.abs(fine - coarse)[::2, ::2]]


def noise_statistics(path):
    """Logs of two quantiles of the residuals of a luma and two chroma planes."""
    picture = pixels(path) / 255
    luma = picture.mean(axis=-1)
    planes = (luma, picture[..., 0] - luma, picture[..., 2] - luma)
    every = np.array([plane for each in planes for plane in residuals(each)])
    return np.log(np.quantile(every, (0.2, 0.5), axis=(1, 2)) + 1e-4).ravel()


def test_noise_tells_the_iso(photographs):
    """Held-out rank correlation of a linear probe on noise statistics alone; chance is 0 +- 0.1."""
    features = np.array([noise_statistics(path) for path in photographs])
    iso = np.log2([read_exif(path)["ISOSpeedRatings"] for path in photographs])
    probe = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 3, 6)))
    probe.fit(features[:150], iso[:150])
    assert spearmanr(probe.predict(features[150:]), iso[150:])[0] > 0.6


def test_sources_differ(folder, photographs):
    second = make_photos(40, folder / "second", source="second", random_state=2)
    makes = [{read_exif(path)["Make"] for path in paths} for paths in (photographs, second)]
    assert makes[0].isdisjoint(makes[1])

    def table(path):
        with Image.open(path) as image:
            luma = np.array(image.quantization[0], float)
        return tuple(np.round(luma[[1, 7, 27]] / luma[63], 1))

    tables = [{table(path) for path in paths} for paths in (photographs, second)]
    assert tables[0] != tables[1]


def lattice(path):
    """Excess of the power spectrum at periods 8, 4 and 8/3 over its surroundings, in logs."""
    green = pixels(path)[..., 1]
    size = len(green) - len(green) % 8
    green = green[:size, :size] - ndimage.gaussian_filter(green[:size, :size], 2)
    power = np.log(np.square(np.abs(np.fft.rfft(green, axis=0))).mean(axis=1) + 1e-6)
    excess = power - ndimage.median_filter(power, 9)
    return excess[[size // 8, size // 4, 3 * size // 8]].mean()


def high_frequencies(path):
    """Log ratio of the power above 0.3 cycles a pixel to that around 0.1."""
    green = pixels(path)[..., 1]
    size = len(green)
    window = np.outer(np.hanning(size), np.hanning(size))
    power = np.abs(np.fft.fft2(green * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size))
    return np.log(power[radius > 0.3].mean() / power[np.abs(radius - 0.1) < 0.03].mean())


def texture(path):
    """Median fine residual of a picture: noise and surface."""
    return np.median(residuals(pixels(path).mean(axis=-1))[0])


@pytest.mark.parametrize(
    ("name", "statistic", "sign"),
    [
        ("upsampling", lattice, 1),
        ("spectral", high_frequencies, 1),
        ("oversmooth", texture, -1),
        ("noiseless", texture, -1),
    ],
)
def test_generators_leave_their_fingerprint(photographs, generated, name, statistic, sign):
    values = [statistic(path) for path in (*photographs[:60], *generated[name])]
    fake = np.repeat([0, 1], 60)
    assert roc_auc_score(fake, sign * np.array(values)) > 0.7


@pytest.mark.parametrize("name", GENERATORS)
def test_trivial_cues_say_little(photographs, generated, name):
    """Brightness and width say nothing; the coded size less than an AUC of 0.8."""
    real, fake = photographs[:60], generated[name]
    labels = np.repeat([0, 1], 60)

    def auc(cue):
        return roc_auc_score(labels, [cue(path) for path in (*real, *fake)])

    def coded_size(path):
        with Image.open(path) as image:
            return Path(path).stat().st_size - len(image.info.get("exif", b""))

    assert 0.35 < auc(lambda path: pixels(path).mean()) < 0.65
    assert 0.35 < auc(lambda path: len(pixels(path))) < 0.65
    assert 0.2 < auc(coded_size) < 0.8
