"""Records and face crops: every container in, one row a photograph, one face a crop."""

import copy
import pickle
import threading
from collections.abc import Mapping
from pathlib import Path

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed
from numpy.testing import assert_array_equal
from PIL import Image

from sklearn_blades.errors import NoFaceError, PhotoError
from sklearn_blades.photos import Face, PhotoRecord, read_photos
from sklearn_blades.photos.crops import Crops, CropSettings
from sklearn_blades.photos.faces import whole
from sklearn_blades.photos.files import Missing
from sklearn_blades.photos.records import face_crop, photo_list
from sklearn_blades.photos.rows import identified
from sklearn_blades.storage.cache import ArrayCache
from tests.drawn import block, portrait

BOX = (0.25, 0.2, 0.75, 0.7)


@pytest.fixture
def paths(tmp_path):
    """Three JPEGs with EXIF."""
    names = [tmp_path / f"{letter}.jpg" for letter in "abc"]
    for name in names:
        portrait(200, 160).save(name, exif=block())
    return names


def saved(folder, name, image, **options):
    path = folder / name
    image.save(path, **options)
    return path


def test_a_record_is_a_row(paths):
    record = PhotoRecord(paths[0], {"FNumber": 2.8}, Face.from_box(BOX))
    assert record.path == str(paths[0])
    assert isinstance(record.exif, Mapping)
    with pytest.raises(TypeError):
        record.exif["FNumber"] = 1.0
    with pytest.raises(AttributeError):
        record.path = "b.jpg"
    for twin in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record), copy.copy(record)):
        assert twin == record
        assert hash(twin) == hash(record)
    rows = np.array([record, record, PhotoRecord("b.jpg")], dtype=object)
    assert rows.shape == (3,)
    assert rows[rows == record].size == 2


def test_a_record_keeps_its_own_facts():
    facts = {"FNumber": 2.8}
    record = PhotoRecord("a.jpg", facts)
    facts["FNumber"] = 5.6
    assert record.exif == {"FNumber": 2.8}


def containers(paths):
    pandas = pytest.importorskip("pandas")
    names = [str(path) for path in paths]
    yield from (paths, names, tuple(paths), iter(paths))
    yield from (np.array(names), np.array(paths, dtype=object), np.array(names)[:, None])
    yield from (pandas.Series(names, index=[7, 3, 5]), pandas.DataFrame({"path": names}))
    yield from (read_photos(paths), np.array(read_photos(paths), dtype=object))


def test_every_container_gives_the_same_rows(paths):
    expected = read_photos(paths)
    assert [Path(record.path) for record in expected] == paths
    assert expected[0].exif["ISOSpeedRatings"] == 400
    for container in containers(paths):
        assert read_photos(container) == expected
    assert read_photos(paths, n_jobs=2) == expected
    assert read_photos([*paths, paths[0]])[-1] == expected[0]
    assert read_photos([]) == []


def test_one_photograph_must_stand_in_a_list(paths):
    for one in (str(paths[0]), paths[0], PhotoRecord(paths[0]), Image.new("RGB", (8, 8))):
        with pytest.raises(TypeError, match="wrap it in a list"):
            read_photos(one)
    with pytest.raises(ValueError, match="single column"):
        read_photos(np.array([["a.jpg", "b.jpg"]]))
    with pytest.raises(TypeError, match="row 1 of X is not a path: 3, of type int"):
        read_photos([paths[0], 3])
    with pytest.raises(TypeError, match="a path or a PhotoRecord"):
        read_photos([Image.new("RGB", (8, 8))])
    with pytest.raises(ValueError, match="on_error='ignore'"):
        read_photos(paths, on_error="ignore")


def test_what_is_no_row_is_named_by_its_number_and_kind(paths):
    data = paths[0].read_bytes()
    with pytest.raises(
        TypeError, match=r"row 0 of X is bytes .*Image\.open\(io\.BytesIO"
    ) as caught:
        photo_list([data])
    assert len(str(caught.value)) < 300
    with paths[0].open("rb") as file:
        with pytest.raises(TypeError, match=r"row 0 of X is an open file.*a\.jpg"):
            photo_list([file])
        with pytest.raises(TypeError, match="X is an open file"):
            photo_list(file)
    with pytest.raises(TypeError, match="X is bytes"):
        photo_list(data)
    with pytest.raises(ValueError, match="X is None; give a list"):
        photo_list(None)
    with pytest.raises(TypeError, match="X is not a path: 3"):
        photo_list(3)
    with pytest.raises(TypeError, match=r"a folder; list its photographs: sorted\(pathlib"):
        photo_list(str(paths[0].parent))
    with pytest.raises(ValueError, match=r"shape \(2, 8, 8, 3\): give them as list\(array\)"):
        photo_list(np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match=r"wrap it in a list: \[array\]"):
        photo_list(np.zeros((8, 8, 3), np.uint8))


def test_an_empty_cell_is_a_photograph_that_cannot_be_used(paths):
    pandas = pytest.importorskip("pandas")
    name = str(paths[0])
    for empty in (None, float("nan"), np.nan, pandas.NA, pandas.NaT, ""):
        for container in ([name, empty], pandas.Series([name, empty], dtype=object)):
            assert isinstance(photo_list(container)[1], Missing)
            with pytest.raises(PhotoError, match="row 1: has no path"):
                read_photos(container)
            with pytest.warns(UserWarning, match=r"1 of 2 .*row 1: has no path"):
                assert len(read_photos(container, on_error="skip")) == 1
            crops = Crops(photo_list(container), CropSettings("whole", image_size=8), ArrayCache())
            first, second = crops.load()
            assert first.pixels.shape == (8, 8, 3)
            assert isinstance(second, PhotoError)


def test_tables_complete_and_replace(paths, monkeypatch):
    pandas = pytest.importorskip("pandas")
    monkeypatch.chdir(paths[0].parent)
    rows = {"b.jpg": {"ISOSpeedRatings": "800", "Make": "Canon", "Model": None, "label": 1}}
    frame = pandas.DataFrame.from_dict(rows, orient="index")
    for table in (rows, frame):
        first, second, third = read_photos(paths, exif=table, faces={paths[2]: BOX})
        assert first == read_photos(paths)[0]
        assert second.exif["ISOSpeedRatings"] == 800
        assert (second.exif["Make"], second.exif["Model"]) == ("canon", "d90")
        assert second.exif["FNumber"] == first.exif["FNumber"]
        assert third.face == Face.from_box(BOX)
    face = Face.from_box((0.1, 0.1, 0.4, 0.4))
    rows["c.jpg"] = {"ExposureTime": "1/30"}
    (record,) = read_photos([PhotoRecord(paths[2], {"FNumber": 2.0}, face)], exif=rows)
    known = {"FNumber": 2.0, "ExposureTime": 1 / 30}
    assert (record.exif, record.face) == (known, face)  # the file is not read again


def test_wrong_tables_are_refused_in_words(paths):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"none of the tags.*ISOSpeedRatings"):
        read_photos(paths, exif={"a.jpg": {"iso": 100}})
    with pytest.raises(TypeError, match="set_index"):
        read_photos(paths, exif=pandas.DataFrame({"FNumber": [2.8]}))
    with pytest.raises(TypeError, match="keyed by path"):
        read_photos(paths, faces=[BOX])
    with pytest.raises(ValueError, match=r"faces= of .*b\.jpg: box=.*positive area"):
        read_photos(paths, faces={paths[0]: BOX, paths[1]: (0.2, 0.2, 0.1, 0.3)})
    with pytest.raises(TypeError, match=r"faces= of .*b\.jpg: "):
        read_photos(paths, faces={paths[1]: None})


@pytest.mark.parametrize("name", ["exif", "faces"])
def test_a_table_of_none_of_the_photographs_is_said(paths, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path / "..")  # where names alone are of other files
    row = {"FNumber": 2.0} if name == "exif" else BOX
    table = {Path(path).name: row for path in paths}
    with pytest.warns(UserWarning, match=rf"{name}= has 3 rows, and none .*a\.jpg.*as they are"):
        assert read_photos(paths, **{name: table}) == read_photos(paths)
    assert read_photos([], **{name: table}) == []
    read_photos(paths, **{name: table | {paths[2]: row}})  # of some: said of none


def test_values_that_say_nothing_are_said(paths):
    with pytest.warns(UserWarning, match=r"1 rows, and no value in them can be used: .*'N/A'"):
        read_photos(paths, exif={paths[0]: {"Make": "N/A"}})


def test_skip_leaves_out_what_cannot_be_read_and_says_so_once(paths, tmp_path):
    for number in range(4):
        (tmp_path / f"bad{number}.jpg").write_text("text")
    mixed = [paths[0], *(tmp_path / f"bad{number}.jpg" for number in range(4)), paths[1]]
    with pytest.raises(PhotoError, match=r"bad0\.jpg"):
        read_photos(mixed)
    with pytest.warns(UserWarning, match=r"4 of 6 .*bad0\.jpg.*bad2\.jpg.*1 more") as caught:
        records = read_photos(mixed, on_error="skip", n_jobs=2)
    assert len(caught) == 1
    assert [Path(record.path) for record in records] == paths[:2]


def test_a_crop_holds_the_face(tmp_path):
    pytest.importorskip("cv2")
    path = saved(tmp_path, "a.jpg", portrait(700, 700), quality=92)
    result = face_crop(path, face_margin=1.4, image_size=96)
    assert result.pixels.shape == (96, 96, 3)
    assert result.pixels.dtype == np.uint8
    left, top, right, bottom = result.face.box
    assert max(right - left, bottom - top) == pytest.approx(1 / 1.4, abs=0.01)
    brightness = result.pixels.mean(axis=2)
    for x, y in result.face.eyes:  # the drawn pupils are dark, the forehead is not
        col, row = round(x * 96), round(y * 96)
        assert brightness[row - 5 : row + 6, col - 5 : col + 6].min() < 90
    assert brightness[round(result.face.eyes[0][1] * 96) - 18, 48] > 150


def test_the_pixels_do_not_depend_on_who_named_the_face(tmp_path):
    face = Face.from_box((0.45, 0.4, 0.6, 0.6))
    path = saved(tmp_path, "a.jpg", portrait(1600, 1200), quality=92)
    ways = [
        face_crop(PhotoRecord(path, {}, face)),
        face_crop(path, face_locator={path: face}),
        face_crop(path, face_locator=lambda image: [Face.from_box((0, 0, 0.1, 0.1)), face]),
        face_crop(path.read_bytes(), face_locator=lambda image: [face]),
    ]
    for way in ways:
        assert np.array_equal(way.pixels, ways[0].pixels)
        assert way.face == ways[0].face


def test_whole_keeps_the_whole_image():
    pixels = np.zeros((60, 120, 3), dtype=np.uint8)
    pixels[:, 60:] = 200
    result = face_crop(pixels, face_locator="whole", face_margin=1.6, image_size=32)
    assert result.face == whole(1.6)
    assert (result.pixels[:, :12] == 0).all()
    assert (result.pixels[:, 20:] == 200).all()


def test_arrays_images_and_files_agree(tmp_path):
    image = portrait(240, 240)
    path = saved(tmp_path, "a.png", image)
    options = {"face_locator": "whole", "image_size": 64}
    expected = face_crop(path, **options).pixels
    for photo in (image, np.asarray(image), str(path), path.read_bytes(), PhotoRecord(path)):
        assert np.array_equal(face_crop(photo, **options).pixels, expected)
    gray = np.asarray(image.convert("L"))
    assert np.ptp(face_crop(gray, **options).pixels.astype(int), axis=2).max() == 0


@pytest.mark.parametrize(
    "array", [np.zeros((8, 8, 3)), np.zeros((8, 8, 4), np.uint8), np.zeros(8, np.uint8)]
)
def test_wrong_arrays_are_refused_in_words(array):
    with pytest.raises(ValueError, match="uint8 of shape"):
        face_crop(array, face_locator="whole")


def test_no_face_is_said_with_the_remedy(tmp_path):
    pytest.importorskip("cv2")
    path = saved(tmp_path, "wall.png", Image.new("RGB", (300, 300), "gray"))
    with pytest.raises(NoFaceError, match=r"wall\.png: .*'haar' found no face.*'whole'"):
        face_crop(path)
    with pytest.raises(NoFaceError, match=r"wall\.png: has no row"):
        face_crop(path, face_locator={"other.jpg": BOX})
    with pytest.raises(ValueError, match="face_margin"):
        face_crop(path, face_locator="whole", face_margin=0.5)


@pytest.fixture
def decodings(monkeypatch):
    """Sizes to which pictures are decoded, in order."""
    import sklearn_blades.photos.pixels as module

    seen, real = [], module.open_photo

    def spy(source, **options):
        image = real(source, **options)
        seen.append(image.size)
        return image

    monkeypatch.setattr(module, "open_photo", spy)
    return seen


def test_a_large_jpeg_is_decoded_small(tmp_path, decodings):
    path = saved(tmp_path, "a.jpg", Image.new("RGB", (4000, 3000)))
    face_crop(path, face_locator="whole", image_size=224)
    face_crop(path, face_locator="whole", image_size=224, antialias=False)
    assert decodings == [(1000, 750), (4000, 3000)]


@pytest.mark.parametrize(
    ("image_size", "decoded"),
    [(224, [(1000, 750)]), (448, [(1000, 750), (2000, 1500)]), (96, [(1000, 750)])],
)
def test_a_face_is_cut_from_the_copy_it_was_found_in_where_that_is_its_scale(
    image_size, decoded, tmp_path, decodings
):
    path = saved(tmp_path, "a.jpg", Image.effect_noise((4000, 3000), 60).convert("RGB"))
    box = (0.3, 0.3, 0.6, 0.7)
    found = face_crop(path, face_locator=lambda image: [box], image_size=image_size)
    assert decodings == decoded
    given = face_crop(PhotoRecord(path, face=Face.from_box(box)), image_size=image_size)
    assert_array_equal(found.pixels, given.pixels)


def test_haar_looks_at_a_finer_copy_only_where_the_first_shows_no_face(tmp_path, decodings):
    pytest.importorskip("cv2")
    for half, decoded in ((0.1, [(500, 500)]), (0.02, [(500, 500), (1000, 1000)])):
        box = (0.5 - half, 0.5 - half, 0.5 + half, 0.5 + half)
        path = saved(tmp_path, f"{half}.jpg", portrait(2000, 2000, box))
        decodings.clear()
        face_crop(path, image_size=int(600 * half), min_face_size=0)
        assert decodings == decoded


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
@pytest.mark.parametrize("how", ["whole", lambda image: [(0.2, 0.2, 0.8, 0.8)]])
def test_a_picture_without_pixels_is_named(size, how):
    with pytest.raises(PhotoError, match=r"<Image>: has no pixels\."):
        face_crop(Image.new("RGB", size), face_locator=how)


def test_a_locator_may_draw_on_what_it_is_given(tmp_path):
    def drawing(image):
        image.paste((255, 0, 0), (0, 0, *image.size))
        return [(0.2, 0.2, 0.8, 0.8)]

    for name in ("a.jpg", "a.png"):
        path = saved(tmp_path, name, portrait(300, 300))
        drawn = face_crop(path, face_locator=drawing)
        plain = face_crop(path, face_locator=lambda image: [(0.2, 0.2, 0.8, 0.8)])
        assert_array_equal(drawn.pixels, plain.pixels)


def test_a_png_is_decoded_once_for_locator_and_crop(tmp_path, monkeypatch):
    from PIL.PngImagePlugin import PngImageFile

    path = saved(tmp_path, "a.png", portrait(400, 300))
    decoded = []
    real = PngImageFile.load_end
    monkeypatch.setattr(PngImageFile, "load_end", lambda self: (decoded.append(1), real(self)))
    face_crop(path, face_locator=lambda image: [BOX])
    assert decoded == [1]


def test_threads_and_processes_give_the_same_crops(paths):
    pytest.importorskip("cv2")
    expected = [face_crop(path, image_size=48).pixels for path in paths]
    found = {}

    def work(number):
        found[number] = face_crop(paths[number % 3], image_size=48).pixels

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[number], expected[number % 3]) for number in range(6))
    parallel = Parallel(n_jobs=2, prefer="threads")(
        delayed(face_crop)(record, image_size=48) for record in read_photos(paths)
    )
    assert all(np.array_equal(a.pixels, b) for a, b in zip(parallel, expected, strict=True))


def test_joblib_tells_records_of_a_file_that_changed(tmp_path):
    path = tmp_path / "a.png"
    portrait(64, 64).save(path)
    record = PhotoRecord(path, {"Make": "canon"})
    before = joblib.hash([record])
    assert joblib.hash([pickle.loads(pickle.dumps(record))]) == before
    assert pickle.loads(pickle.dumps(record)) == record
    portrait(65, 65).save(path)
    assert joblib.hash([record]) != before


def test_a_path_in_a_pipelines_memory_is_known_by_its_file(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"one")
    image, record = Image.new("RGB", (8, 8)), PhotoRecord("b.jpg")
    rows = identified([str(path), path, str(tmp_path / "none.jpg"), image, record])
    assert rows == [str(path), str(path), str(tmp_path / "none.jpg"), image, record]
    again = pickle.loads(pickle.dumps(rows[0]))
    assert (type(again), again) == (str, str(path))
    before = [joblib.hash(row) for row in rows[:3]]
    assert before == [joblib.hash(row) for row in rows[:3]]
    assert before[0] != joblib.hash(str(path))
    path.write_bytes(b"another")
    after = [joblib.hash(row) for row in rows[:3]]
    assert before[0] != after[0] == after[1] != before[1]
    assert before[2] == after[2]
