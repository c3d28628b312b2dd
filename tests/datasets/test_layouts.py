"""The folder layouts of real data, on tiny made folders."""

import json

import numpy as np
import pytest
from PIL import Image

from sklearn_blades.datasets import load_fdf, load_generator_folders
from sklearn_blades.photos import Face

# nose, right eye, left eye, right ear, left ear, right shoulder, left shoulder
LANDMARK = [[0.5, 0.55], [0.4, 0.45], [0.6, 0.45], [0.3, 0.5], [0.7, 0.5], [0.1, 1.0], [0.9, 1.0]]
ENTRY = {"bounding_box": [0.3, 0.25, 0.7, 0.75], "landmark": LANDMARK, "category": "training"}


def touch(root, *names):
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def make_fdf(root, entries, images, size=8):
    root.mkdir(exist_ok=True)
    (root / "fdf_metainfo.json").write_text(json.dumps(entries))
    for name in images:
        file = root / "images" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (size, size)).save(file)
    return root


def test_one_folder_a_generator(tmp_path):
    touch(tmp_path, "real/b.jpg", "real/a.PNG", "sdxl/c.webp", "sd21/deep/d.jpeg")
    touch(tmp_path, "sdxl/notes.txt", "sdxl/.hidden.jpg", ".cache/e.jpg", "stray.jpg")
    data = load_generator_folders(tmp_path)
    names = [path.removeprefix(f"{tmp_path}/") for path in data.paths]
    assert names == ["real/a.PNG", "real/b.jpg", "sd21/deep/d.jpeg", "sdxl/c.webp"]
    assert data.y.tolist() == [1, 1, 0, 0]
    assert data.generator.tolist() == ["photographic", "photographic", "sd21", "sdxl"]
    assert data.folder.tolist() == ["real", "real", "sd21/deep", "sdxl"]


def test_cnndetection_and_genimage(tmp_path):
    touch(tmp_path, "progan/cat/0_real/a.png", "progan/cat/1_fake/a.png", "biggan/1_fake/b.png")
    touch(tmp_path, "Midjourney/train/ai/a.png", "Midjourney/train/nature/a.JPEG")
    touch(tmp_path, "fake/ddim/a.png", "test/fake/z.png")
    data = load_generator_folders(tmp_path)
    assert dict(zip(data.folder, data.generator, strict=True)) == {
        "progan/cat/0_real": "photographic",
        "progan/cat/1_fake": "progan",
        "biggan/1_fake": "biggan",
        "Midjourney/train/ai": "Midjourney",
        "Midjourney/train/nature": "photographic",
        "fake/ddim": "ddim",
        "test/fake": "fake",
    }
    np.testing.assert_array_equal(data.y == 1, data.generator == "photographic")


def test_photographs_of_another_name(tmp_path):
    touch(tmp_path, "CelebA-Face/a.jpg", "ldm/b.jpg")
    with pytest.warns(UserWarning, match=r"no photographs among CelebA-Face, ldm.*photographs=\["):
        assert load_generator_folders(tmp_path).y.tolist() == [0, 0]
    for names in (["celeba-face"], "celeba-face"):
        assert load_generator_folders(tmp_path, photographs=names).y.tolist() == [1, 0]


def test_folders_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: there is no such folder"):
        load_generator_folders(tmp_path / "nowhere")
    touch(tmp_path, "lone.jpg")
    with pytest.raises(NotADirectoryError, match=r"lone\.jpg: a file"):
        load_generator_folders(tmp_path / "lone.jpg")
    with pytest.raises(ValueError, match="no images in folders below it"):
        load_generator_folders(tmp_path)


def test_fdf(tmp_path):
    tall = ENTRY | {"bounding_box": [0.2, 0.2, 0.8, 0.9]}
    entries = {"0": ENTRY, "2": tall, "10": ENTRY, "77": ENTRY}  # 77 is of another licence
    images = ["128/10.png", "128/2.png", "128/0.png", "64/0.png"]
    exif = {2: {"FNumber": "f/2.8", "Make": "NIKON CORPORATION"}, "77": {"FNumber": 4}}
    records = load_fdf(make_fdf(tmp_path, entries, images), exif=exif)
    paths = [str(tmp_path / "images" / "128" / f"{index}.png") for index in (0, 2, 10)]
    assert [record.path for record in records] == paths
    assert [dict(record.exif) for record in records] == [{}, {"FNumber": 2.8, "Make": "nikon"}, {}]
    assert records[1].face.box == (0.2, 0.2, 0.8, 0.9)
    assert records[0].face.eyes == ((0.4, 0.45), (0.6, 0.45))
    np.testing.assert_allclose(records[0].face.mouth, (0.5, 0.65))


def test_fdf256_counts_in_pixels_and_in_flat_lists(tmp_path):
    pixels = {
        "bounding_box": [64 * number for number in ENTRY["bounding_box"]],
        "landmark": [64 * number for point in LANDMARK for number in point],
    }
    (record,) = load_fdf(make_fdf(tmp_path, {"5": pixels}, ["5.png"], size=64))
    np.testing.assert_allclose(record.face.box, ENTRY["bounding_box"])
    np.testing.assert_allclose(record.face.eyes, LANDMARK[1:3])
    np.testing.assert_allclose(record.face.mouth, (0.5, 0.65))


def test_fdf_mouth_follows_the_tilt_of_the_head(tmp_path):
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    turned = (np.array(LANDMARK) - 0.5) @ turn.T + 0.5
    (record,) = load_fdf(
        make_fdf(tmp_path, {"0": ENTRY | {"landmark": turned.tolist()}}, ["0.png"])
    )
    np.testing.assert_allclose(record.face.mouth, turn @ [0.0, 0.15] + 0.5, atol=1e-12)


def test_fdf_profile_falls_back_on_the_box(tmp_path):
    profile = [LANDMARK[0], LANDMARK[1], [0.41, 0.45], *LANDMARK[3:]]
    (record,) = load_fdf(make_fdf(tmp_path, {"0": ENTRY | {"landmark": profile}}, ["0.png"]))
    assert record.face == Face.from_box(ENTRY["bounding_box"])


@pytest.mark.parametrize(
    "entry", [None, {"bounding_box": [0, 0, 1, 1]}, ENTRY | {"bounding_box": [0.5, 0.5, 0.5, 0.6]}]
)
def test_fdf_entry_that_cannot_be_used(tmp_path, entry):
    entries = {} if entry is None else {"3": entry}
    with pytest.raises(ValueError, match=r"no usable entry '3' for .*3\.png"):
        load_fdf(make_fdf(tmp_path, entries, ["3.png"]))


def test_fdf_that_is_not_whole(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"fdf_metainfo\.json: missing; run FDF's download"):
        load_fdf(tmp_path)
    make_fdf(tmp_path, {}, [])
    with pytest.raises(FileNotFoundError, match="images: there is no such folder"):
        load_fdf(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(ValueError, match="no images named by their index"):
        load_fdf(tmp_path)
    (tmp_path / "fdf_metainfo.json").write_text("{")
    with pytest.raises(ValueError, match="not JSON"):
        load_fdf(tmp_path)
