"""EXIF of many photographs reads as a list of dicts, and is small."""

import copy
import pickle
import sys
from types import MappingProxyType

import pytest

from sklearn_blades.photos import PhotoRecord, read_photos
from sklearn_blades.photos.exif_rows import ExifRow, ExifRows, ExifTable

WRITTEN = [
    {"Make": "Canon", "FNumber": 2.8, "ISOSpeedRatings": 100},
    {},
    {"Make": "Canon", "FNumber": 2.8},
    {"FNumber": 2.8, "Make": "Canon"},
    {"Flash": 1},
    {"Flash": 1.0},
    {"Flash": True},
    {"Notes": ["of", "your", "own"]},
]


@pytest.fixture
def rows():
    rows = ExifRows(len(WRITTEN))
    for row, exif in enumerate(WRITTEN):
        rows[row] = exif
    return rows


def test_what_was_written_is_read_types_and_order_included(rows):
    assert [*rows] == WRITTEN
    assert [repr(exif) for exif in rows] == [repr(exif) for exif in WRITTEN]
    assert rows[1:3] == WRITTEN[1:3]
    assert rows[-1] == WRITTEN[-1]
    with pytest.raises(IndexError):
        rows[8]


def test_some_rows(rows):
    part = rows.take([4, 0, 0])
    assert [*part] == [WRITTEN[4], WRITTEN[0], WRITTEN[0]]
    part[0] = {"Make": "Nikon"}
    assert rows[4] == WRITTEN[4]


def test_equal_values_and_tags_are_kept_once():
    rows, different = ExifRows(1000), [("Canon", 2.8), ("Nikon", 2.8), ("Canon", 4.0)]
    for row in range(1000):
        make, number = different[row % 3]
        rows[row] = {"Make": make, "FNumber": number}
    assert max(map(sys.getsizeof, rows._rows)) < 50
    assert sorted(map(str, rows._table._values)) == [
        *("('Make', 'FNumber')", "()", "2.8", "4.0", "Canon", "Nikon")
    ]


@pytest.mark.parametrize("exif", WRITTEN)
def test_a_row_reads_as_the_dict_that_it_was(exif):
    table = ExifTable()
    row, _ = ExifRow(exif, table), ExifRow({"Make": "another"}, table)
    assert dict(row) == exif
    assert row == exif == row
    assert len(row) == len(exif)
    assert [*row] == [*exif]
    assert [*row.values()] == [*exif.values()]
    assert row.get("Lens", 7) == 7
    assert "Make" not in row or row["Make"] == exif["Make"]
    with pytest.raises(KeyError, match="Lens"):
        row["Lens"]
    with pytest.raises(TypeError):
        row["Make"] = "Nikon"
    assert row | {"Make": "x"} == {**exif, "Make": "x"}
    assert {"Make": "x"} | row == {"Make": "x", **exif}
    for other in (pickle.loads(pickle.dumps(row)), copy.deepcopy(row), copy.copy(row)):
        assert other == row
    assert len(pickle.loads(pickle.dumps(row))._table._values) <= 1 + len(exif)


def test_records_of_a_call_share_what_their_cameras_wrote(photos):
    records = read_photos(photos[:5])
    assert len({id(record.exif._table) for record in records}) == 1
    for record in records:
        alone = PhotoRecord(record.path, dict(record.exif))
        assert isinstance(alone.exif, MappingProxyType)
        assert record == alone == pickle.loads(pickle.dumps(record))
        assert sys.getsizeof(record.exif) + sys.getsizeof(record.exif._packed) < 200
