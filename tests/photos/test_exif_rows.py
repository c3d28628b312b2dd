"""EXIF of many photographs reads as a list of dicts, and is small."""

import sys

import pytest

from sklearn_blades.photos.exif_rows import ExifRows

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
    rows = ExifRows(1000)
    for row in range(1000):
        rows[row] = {"Make": f"maker {row % 3}", "FNumber": 1.0 + row % 7}
    kept = {id(part): sys.getsizeof(part) for one in rows._rows for part in (one, *one)}
    assert sum(kept.values()) < 1000 * 80
