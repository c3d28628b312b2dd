"""NativeResiduals on photographs: which pixels it looks at, and that it is a good citizen."""

import inspect
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn.base import clone
from sklearn.pipeline import FeatureUnion
from sklearn.utils import get_tags

from sklearn_blades import BladesOneClass, make_detector
from sklearn_blades.errors import NoFaceError, PhotoError, SmallFaceError
from sklearn_blades.photos import Face, PhotoRecord, face_crop, open_photo, read_photos
from sklearn_blades.photos.faces import square
from sklearn_blades.photos.regions import face_region
from sklearn_blades.residuals import NativeResiduals, native
from sklearn_blades.residuals.statistics import NAMES, face_statistics
from sklearn_blades.storage.cache import cache_for
from tests.data_free import each_data_free_check, run_check


def measured(residuals, X):
    """Statistics, none of them remembered."""
    cache_for().clear()
    return np.asarray(residuals.transform(X))


@pytest.fixture(params=["paths", "records"])
def X(request, photos):
    return photos[:6] if request.param == "paths" else read_photos(photos[:6])


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)


class TestRegion:
    def test_stored_pixels_are_neither_scaled_nor_compressed(self, picture, tmp_path):
        path = tmp_path / "a.png"
        Image.fromarray(picture).save(path)
        record = PhotoRecord(path, face=Face.from_box((0.25, 0.2, 0.5, 0.6)))
        left, top, right, _ = square((400, 300), record.face, 1.3)
        region = face_region(record, face_margin=1.3)
        left, top, side = left - left % 8, top - top % 8, right - left
        assert_array_equal(region, picture[top : top + side, left : left + side])

    def test_a_jpeg_is_decoded_at_its_full_size(self, picture, tmp_path):
        path = tmp_path / "a.jpg"
        Image.fromarray(np.tile(picture, (4, 4, 1))).save(path, quality=95)
        expected = np.asarray(open_photo(path))
        assert_array_equal(face_region(path, face_locator="whole", largest=2000), expected)

    def test_it_is_the_face_that_crops_show(self, picture, tmp_path):
        path, seen = tmp_path / "a.jpg", []
        Image.fromarray(np.tile(picture, (6, 6, 1))).save(path, quality=95)  # 2400 x 1800

        def locate(image):
            seen.append(image.size)
            return [(0.2, 0.2, 0.3, 0.2 + 240 / 1800)]  # from 480, 360 on: on the grid

        how = {"face_locator": locate, "face_margin": 1.0}
        region = face_region(path, **how)
        assert region.shape == (240, 240, 3)
        assert_array_equal(region, face_crop(path, **how, image_size=240).pixels)
        assert len(set(seen)) == 1
        assert seen[0][0] < 2400

    @pytest.mark.parametrize(("largest", "shape"), [(512, (300, 400)), (304, (300, 304)),
                                                    (100, (100, 100))])  # fmt: skip
    def test_of_large_regions_the_middle_is_taken(self, picture, largest, shape):
        region = face_region(picture, face_locator="whole", largest=largest)
        top, left = ((full - part) // 2 // 8 * 8
                     for full, part in zip((300, 400), shape, strict=True))  # fmt: skip
        assert_array_equal(region, picture[top : top + shape[0], left : left + shape[1]])

    def test_a_tiny_face_is_refused_by_its_file(self, tmp_path, picture):
        path = tmp_path / "tiny.png"
        Image.fromarray(picture).save(path)
        record = PhotoRecord(path, face=Face.from_box((0.4, 0.4, 0.5, 0.55)))
        with pytest.raises(SmallFaceError, match=r"tiny\.png: its face region measures \d+ pixels"):
            face_region(record)
        assert face_region(record, smallest=16).shape[0] < 64

    def test_it_stands_upright(self, picture, tmp_path):
        path, exif = tmp_path / "turned.png", Image.Exif()
        exif[274] = 6
        Image.fromarray(picture).save(path, exif=exif)
        assert_array_equal(face_region(path, face_locator="whole"), np.rot90(picture, -1))

    def test_no_face(self, photos):
        with pytest.raises(NoFaceError):
            face_region(photos[0], face_locator=lambda image: [])


# What the contract asks of BladesEncoder in tests/estimators/test_contract.py.


def test_rows_are_the_statistics_of_the_regions(X, photos):
    found = measured(NativeResiduals("whole"), X)
    assert found.dtype == np.float32
    for path, row in zip(photos, found, strict=False):
        assert_array_equal(row, face_statistics(face_region(path, face_locator="whole")))


def test_a_row_depends_on_its_photograph_alone(X):
    residuals = NativeResiduals("whole")
    found = measured(residuals, X)
    assert_array_equal(measured(residuals, X[::-1])[::-1], found)
    assert_array_equal([measured(residuals, [x])[0] for x in X], found)
    assert_array_equal(measured(residuals.set_params(n_jobs=2), X), found)
    assert_array_equal(measured(residuals, [X[0], X[0]]), found[[0, 0]])


def test_nothing_is_learned(X):
    residuals = NativeResiduals("whole")
    before, state = residuals.transform(X), pickle.dumps(residuals)
    assert residuals.fit(X[:2]) is residuals
    assert_array_equal(residuals.fit_transform(X), before)
    assert pickle.dumps(residuals) == state
    assert not get_tags(residuals).requires_fit


def test_clone_and_pickle_keep_every_parameter(X):
    params = {"face_locator": "whole", "face_margin": 1.6, "largest_side": 96, "on_error": "nan",
              "memory": None, "n_jobs": 1}  # fmt: skip
    residuals = NativeResiduals(**params)
    assert list(inspect.signature(NativeResiduals).parameters) == list(params)
    assert clone(residuals).get_params() == params
    found = measured(residuals, X)
    assert_array_equal(measured(clone(residuals), X), found)
    assert_array_equal(measured(pickle.loads(pickle.dumps(residuals)), X), found)
    assert not np.allclose(measured(NativeResiduals("whole"), X), found)


def test_containers_and_pictures_are_alike(photos):
    pd = pytest.importorskip("pandas")
    X, residuals = photos[:3], NativeResiduals("whole")
    found = measured(residuals, X)
    for same in (tuple(X), np.array(X, dtype=object), pd.Series(X), pd.DataFrame({"x": X})):
        assert_array_equal(measured(residuals, same), found)
    for same in ([open_photo(x) for x in X], [np.asarray(open_photo(x)) for x in X]):
        assert_array_equal(measured(residuals, same), found)


def test_names_and_set_output(photos):
    pytest.importorskip("pandas")
    residuals = NativeResiduals("whole").set_output(transform="pandas")
    frame = residuals.transform(photos[:3])
    assert list(frame.columns) == list(residuals.get_feature_names_out()) == list(NAMES)
    assert_array_equal(frame.to_numpy(), measured(NativeResiduals("whole"), photos[:3]))


def test_what_is_known_is_not_measured_again(photos, tmp_path, monkeypatch):
    made = []

    def counted(pixels):
        made.append(pixels.shape)
        return face_statistics(pixels)

    monkeypatch.setattr(native, "face_statistics", counted)
    residuals = NativeResiduals("whole", memory=str(tmp_path))
    first = residuals.transform(photos[:3])
    assert_array_equal(residuals.transform(photos[:3]), first)
    assert len(made) == 3
    residuals.set_params(largest_side=64).transform(photos[:3])
    assert len(made) == 6
    # A locator without a name: nothing tells whether it is the same.
    unnamed = NativeResiduals(Unnamed())
    unnamed.transform(photos[:1])
    unnamed.transform(photos[:1])
    assert len(made) == 8


class Unnamed:
    """A locator that cannot be the key of a dict."""

    __hash__ = None

    def __call__(self, image):
        return [(0.0, 0.0, 1.0, 1.0)]


def test_unreadable_files_keep_their_rows(photos, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")
    X = [photos[0], bad, tmp_path / "gone.jpg", photos[1]]
    residuals = NativeResiduals("whole")
    with pytest.raises(PhotoError, match=r"gone\.jpg|bad\.jpg"):
        residuals.transform(X)
    residuals.set_params(on_error="nan")
    with pytest.warns(UserWarning, match=r"2 of 4 photographs.*NaN.*bad\.jpg") as caught:
        found = residuals.transform(X)
    assert caught[0].filename == __file__
    assert np.isfinite(found).all(axis=1).tolist() == [True, False, False, True]
    assert_array_equal(found[[0, 3]], measured(residuals, photos[:2]))


@pytest.mark.parametrize(
    "wrong", [{"largest_side": 63}, {"face_margin": 0.5}, {"on_error": "skip"}, {"n_jobs": "two"}]
)
def test_parameters_are_checked(wrong, photos):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        NativeResiduals("whole", **wrong).fit()
    with pytest.raises(ValueError, match=next(iter(wrong))):
        NativeResiduals("whole", **wrong).transform(photos[:1])


@each_data_free_check
def test_common_checks_that_need_no_data(name):
    run_check(name, NativeResiduals())


def test_grey_pictures_and_gray_files_are_alike(picture, tmp_path):
    path = tmp_path / "grey.png"
    Image.fromarray(picture[..., 0]).save(path)
    three = np.repeat(picture[..., :1], 3, axis=2)
    found = measured(NativeResiduals("whole"), [path, three, picture[..., 0]])
    assert_array_equal(found[0], found[1])
    assert_array_equal(found[0], found[2])


def test_it_is_a_detector_and_a_branch(photos):
    head = BladesOneClass(n_components=1, target_fpr=0.4, random_state=0)
    detector = make_detector(NativeResiduals("whole"), head).fit(photos)
    assert set(detector.predict(photos).tolist()) <= {1, -1}
    union = FeatureUnion(
        [
            ("near", NativeResiduals("whole", largest_side=64)),
            ("far", NativeResiduals("whole")),
        ]
    )
    found = union.fit_transform(photos[:3])
    assert found.shape == (3, 306)
    assert list(union.get_feature_names_out()[[0, 153]]) == [
        "near__full_log_covariance_horizontal_horizontal",
        "far__full_log_covariance_horizontal_horizontal",
    ]
    assert_allclose(found[:, 153:], NativeResiduals("whole").transform(photos[:3]))
