"""Faces: fractions of the image, the canonical layout, the square crop, tables."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sklearn_blades.errors import PhotoError
from sklearn_blades.photos.faces import (
    Face,
    as_face,
    crop,
    look_up,
    square,
    whole,
)
from sklearn_blades.photos.records import face_crop
from sklearn_blades.photos.regions import face_region


def test_a_face_holds_plain_tuples_and_sorts_its_eyes():
    face = Face(np.array([0.1, 0.2, 0.5, 0.6]), [(0.4, 0.3), (0.2, 0.3)], [0.3, 0.5])
    assert face == Face((0.1, 0.2, 0.5, 0.6), ((0.2, 0.3), (0.4, 0.3)), (0.3, 0.5))
    assert type(face.box[0]) is float
    assert hash(face) == hash(pickle.loads(pickle.dumps(face)))
    with pytest.raises(AttributeError):
        face.box = (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((100, 50, 300, 250), "looks like pixels"),
        ((0.5, 0.2, 0.4, 0.6), "positive area"),
        ((0.1, 0.2, float("nan"), 0.6), "finite"),
    ],
)
def test_a_wrong_box_is_refused_in_words(box, words):
    with pytest.raises(ValueError, match=words):
        Face.from_box(box)


def test_the_canonical_layout_follows_its_box():
    face = Face.from_box((0.2, 0.4, 0.6, 1.0))
    unit = Face.from_box((0, 0, 1, 1))
    assert face.moved((0.2, 0.4, 0.6, 1.0)).eyes == pytest.approx(np.array(unit.eyes))
    assert unit.eyes[0][0] < unit.mouth[0] < unit.eyes[1][0]
    assert unit.eyes[0][1] < unit.mouth[1]
    assert face.area == pytest.approx(0.24)


def test_whole_is_a_central_box():
    assert whole(1.6).box == pytest.approx((0.1875, 0.1875, 0.8125, 0.8125))
    assert whole(1).box == (0, 0, 1, 1)
    for wrong in (0.9, float("inf"), "1.3", None):
        with pytest.raises(ValueError, match="face_margin"):
            whole(wrong)


def test_a_crop_is_a_square_around_the_face():
    image = Image.new("RGB", (400, 200))
    image.putpixel((200, 100), (255, 0, 0))
    face = Face((0.45, 0.4, 0.55, 0.6), ((0.48, 0.45), (0.52, 0.45)), (0.5, 0.5))
    part, inside = crop(image, face, 1.5)
    assert part.size == (60, 60)  # 1.5 x 40 px
    assert part.getpixel((30, 30)) == (255, 0, 0)
    assert inside.mouth == pytest.approx((0.5, 0.5))
    assert inside.box == pytest.approx((1 / 6, 1 / 6, 5 / 6, 5 / 6))
    assert inside.eyes[1] == pytest.approx((0.5 + 0.02 * 400 / 60, 0.5 - 0.05 * 200 / 60))


@pytest.mark.parametrize("box", [(1.1, 0.2, 1.5, 0.6), (0.2, -1.0, 0.6, -0.1), (1.0, 0, 1.2, 1)])
def test_a_box_beside_the_picture_is_refused_by_name(box, tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (100, 80)).save(path)
    for cut in (face_crop, face_region):
        with pytest.raises(PhotoError, match=r"a.png: its face box .* lies beside the picture"):
            cut(path, face_locator={str(path): box})


@pytest.mark.parametrize("size", [(3000, 40), (40, 3000)])
def test_a_box_over_all_of_a_narrow_picture_is_cut(size):
    part, inside = crop(Image.new("RGB", size), Face.from_box((0, 0, 1, 1)), 1.3)
    assert part.size == (40, 40)
    assert sorted(inside.box) == [-2, 0, 1, 3]
    assert inside.mouth[size.index(3000)] != 0.79  # points are where they are


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0.0, 0.0, 0.25, 0.5), (0, 0, 150, 150)),  # shifted from the corner
        ((0.75, 0.5, 1.0, 1.0), (250, 50, 400, 200)),
        ((0.1, 0.0, 0.9, 1.0), (100, 0, 300, 200)),  # capped by the shorter side
        ((-0.2, -0.2, 0.05, 0.3), (0, 0, 150, 150)),  # reaches over the edge
        ((0.5, 0.5, 0.5001, 0.5001), (200, 100, 201, 101)),  # less than a pixel
    ],
)
def test_the_square_stays_inside(box, expected):
    assert square((400, 200), Face.from_box(box), 1.5) == expected


def test_boxes_and_faces_are_both_faces():
    face = Face.from_box((0.1, 0.1, 0.5, 0.5))
    assert as_face(face) is face
    assert as_face((0.1, 0.1, 0.5, 0.5)) == face


def test_a_table_matches_keys_as_written_and_by_real_path(tmp_path, monkeypatch):
    face = Face.from_box((0.1, 0.1, 0.5, 0.5))
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").touch()
    Path("link.jpg").symlink_to("a.jpg")
    for key in ("a.jpg", Path("a.jpg"), str(tmp_path / "a.jpg"), "./a.jpg"):
        for path in ("a.jpg", Path("a.jpg"), tmp_path / "a.jpg", "link.jpg"):
            assert look_up({"z.jpg": (0, 0, 1, 1), key: (0.1, 0.1, 0.5, 0.5)}, path) == face
    assert look_up({"a.jpg": face}, "b.jpg") is None
    assert look_up({"a.jpg": face}, np.zeros((8, 8, 3))) is None  # an array has no path
