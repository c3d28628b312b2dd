"""Equal stops are equal numbers, however makers spell them; unequal ones keep their order."""

import numpy as np
import pytest

from sklearn_blades.photos import normalise_exif
from sklearn_blades.photos.stops import _F_NUMBERS, _SECONDS, marked_f_number, marked_seconds


def numbers(text):
    return [eval(word) for word in text.split()]


@pytest.mark.parametrize(
    ("table", "marked"), [(_F_NUMBERS, marked_f_number), (_SECONDS, marked_seconds)]
)
def test_marked_numbers_stand_and_no_order_is_turned(table, marked):
    for number in numbers(table):
        assert marked(number) == number
    values = np.geomspace(min(numbers(table)) / 4, max(numbers(table)) * 4, 20_000)
    rounded = np.array([marked(value) for value in values])
    assert (np.diff(rounded) >= 0).all()
    # At most a tenth of a stop to the exact number, and less from there to the marked one.
    power = 2 if table is _F_NUMBERS else 1
    assert np.abs(power * np.log2(rounded / values)).max() < 0.2
    assert [marked(value) for value in rounded] == list(rounded)


def test_apex_and_plain_numbers_are_ties():
    for f_number, apex in [
        (1.4, 1),
        (2.8, 3),
        (2.8, 2.97),
        (5.6, 5),
        (11, 7),
        (22, 9),
        (3.5, 3.67),
    ]:
        facts = normalise_exif({"FNumber": f_number, "ApertureValue": 2 ** (apex / 2)})
        assert facts["FNumber"] == facts["ApertureValue"] == f_number
    for seconds, apex in [(1 / 125, 7), (1 / 60, 6), (1 / 60, 5.9), (30, -5), (1 / 8000, 13)]:
        facts = normalise_exif({"ExposureTime": seconds, "ShutterSpeedValue": 2.0**-apex})
        assert facts["ExposureTime"] == facts["ShutterSpeedValue"] == seconds
    spelled = {normalise_exif({"FNumber": n})["FNumber"] for n in (2.8, 2.83, "f/2.8", 2.79, 2.828)}
    assert spelled == {2.8}


def test_what_lies_between_the_stops_stays():
    assert normalise_exif({"FNumber": 1.9, "ExposureTime": 1 / 35}) == {
        "FNumber": 1.9,
        "ExposureTime": 1 / 35,
    }
