"""What the camera wrote: 15 EXIF tags, numbers in base units, enumerations in words."""

import math
import re
from collections.abc import Mapping
from typing import Any

from ..ground.types import StrPath
from .files import open_header
from .makers import maker, model
from .stops import marked_bias, marked_f_number, marked_seconds
from .tags import raw_tags

NUMERIC_TAGS = (
    "ApertureValue",
    "ExposureBiasValue",
    "ExposureTime",
    "FNumber",
    "FocalLength",
    "ISOSpeedRatings",
    "ShutterSpeedValue",
)
CATEGORICAL_TAGS = (
    "ExposureMode",
    "ExposureProgram",
    "Flash",
    "Make",
    "MeteringMode",
    "Model",
    "SceneCaptureType",
    "WhiteBalance",
)

# The words of EXIF 2.32, section 4.6.5; a code that says "unknown" is absent, as a missing tag is.
_WORDS = {
    "ExposureMode": {0: "auto", 1: "manual", 2: "auto bracket"},
    "ExposureProgram": {
        1: "manual",
        2: "normal program",
        3: "aperture priority",
        4: "shutter priority",
        5: "creative program",
        6: "action program",
        7: "portrait mode",
        8: "landscape mode",
    },
    "MeteringMode": {
        1: "average",
        2: "center-weighted average",
        3: "spot",
        4: "multi-spot",
        5: "pattern",
        6: "partial",
        255: "other",
    },
    "SceneCaptureType": {0: "standard", 1: "landscape", 2: "portrait", 3: "night scene"},
    "WhiteBalance": {0: "auto", 1: "manual"},
}
# How common tools print the same things, letters only.
_SYNONYMS = {
    "ExposureMode": {"autoexposure": "auto", "manualexposure": "manual"},
    "ExposureProgram": {
        "programae": "normal program",
        "programnormal": "normal program",
        "aperturepriorityae": "aperture priority",
        "shutterspeedpriorityae": "shutter priority",
    },
    "MeteringMode": {"multisegment": "pattern", "centerweighted": "center-weighted average"},
    "SceneCaptureType": {"night": "night scene"},
    "WhiteBalance": {"autowhitebalance": "auto", "manualwhitebalance": "manual"},
}
_UNKNOWN = {"", "unknown", "unidentified", "undefined", "notdefined", "none", "nan", "reserved"}
PLAUSIBLE = {
    "ApertureValue": (0.5, 256.0),
    "ExposureBiasValue": (-10.0, 10.0),
    "ExposureTime": (1e-6, 86_400.0),
    "FNumber": (0.5, 256.0),
    "FocalLength": (0.5, 6_000.0),
    "ISOSpeedRatings": (1.0, 5_000_000.0),
    "ShutterSpeedValue": (1e-6, 86_400.0),
}
"""What a camera can have done: f-numbers from the fastest lens to a pinhole, EV, seconds up to a
day, the focal lengths of endoscopes and telescopes in mm, ISO from the slowest plate to the most
sensitive camera on sale. What lies outside is a mistake or a code for "unset", and absent."""
# EXIF 2.3 added tags for the sensitivity; which of them is meant, where the camera says so.
_STANDARD_OUTPUT, _RECOMMENDED, _ISO_SPEED = (
    "StandardOutputSensitivity",
    "RecommendedExposureIndex",
    "ISOSpeed",
)
_SENSITIVITIES = {1: _STANDARD_OUTPUT, 3: _ISO_SPEED, 5: _STANDARD_OUTPUT}
_ISO_ELSEWHERE = 65535  # "more than this field holds": EXIF 2.32, annex G

_NUMBER = re.compile(
    r"(?:f\s*/?\s*)?([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?:\s*/\s*(\d+\.?\d*))?"
    r"\s*(?:mm|sec|s|ev|iso)?\.?",
    re.IGNORECASE,
)


def read_exif(path: StrPath | bytes) -> dict[str, Any]:
    """Read what the camera wrote into a photograph.

    Parameters
    ----------
    path : str, os.PathLike or bytes
        A JPEG, TIFF, PNG, WebP or AVIF file, or HEIC with the extra ``heic``; or its content.

    Returns
    -------
    dict of str to float or str
        EXIF standard names as keys. Numbers are floats: ``ExposureTime`` and
        ``ShutterSpeedValue`` in seconds, ``FNumber`` and ``ApertureValue`` as f-numbers (the
        ``Value`` of each converted from APEX), ``FocalLength`` in mm, ``ExposureBiasValue`` in EV,
        ``ISOSpeedRatings`` as ISO speed, from EXIF 2.3's newer tags where the old one is unset.
        Enumerations are lower-case words. What is missing, unknown, corrupt or impossible (outside
        of `PLAUSIBLE`) is absent.

    Raises
    ------
    PhotoError
        Where the file cannot be opened as an image, or is a raw file. Corrupt EXIF raises nothing.

    See Also
    --------
    normalise_exif : The same of a table's row.
    read_photos : Records of many files.

    Notes
    -----
    Cameras spell one stop in many ways: f/2.8 is 2.8, 2.83, or 2.828 from APEX. Times and f-numbers
    within a tenth of a stop of one that is marked on cameras become that one, so that equal stops
    are ties and not an order of makers; so do thirds and halves of an EV. Others stay as they are.

    Only metadata are read, by their lengths, wherever they stand in the file; of a TIFF a few
    kilobytes, however large it is.
    """
    with open_header(path) as image:
        return normalise_exif(_base_units(raw_tags(image)))


def _base_units(tags):
    """One ISO of several, and from APEX to seconds and f-numbers; not yet checked."""
    found = dict(tags)
    said = _SENSITIVITIES.get(found.get("SensitivityType"), _RECOMMENDED)
    for name in ("ISOSpeedRatings", said, _RECOMMENDED, _STANDARD_OUTPUT, _ISO_SPEED):
        number = _plausible("ISOSpeedRatings", _number(tags.get(name)))
        if number is not None:
            found["ISOSpeedRatings"] = number
            break
    for name, power in {"ApertureValue": 0.5, "ShutterSpeedValue": -1.0}.items():
        apex = _number(found.pop(name, None))
        if apex is not None and abs(apex) < 64:  # beyond lies no camera, and float's edge
            found[name] = 2.0 ** (power * apex)
    return found


def normalise_exif(row: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a row of EXIF from anywhere into the form that `read_exif` gives.

    Parameters
    ----------
    row : mapping of str to object
        EXIF standard names as keys; others are ignored. Numbers, fractions or strings such as
        ``"1/125"``, ``"f/2.8"``, ``"50 mm"``; apertures as f-numbers and shutter speeds as
        seconds, which is how tools print them (not APEX). Enumerations as EXIF codes or words.

    Returns
    -------
    dict of str to float or str
        What is missing, not finite, impossible (outside of `PLAUSIBLE`) or unreadable is absent,
        and so is a maker or model that says nothing ("Camera", "N/A"). Stops are those marked on
        cameras, as in `read_exif`.

    See Also
    --------
    read_exif : Reads a file's tags, in the same form.

    Examples
    --------
    >>> normalise_exif({"Make": "NIKON CORPORATION", "Model": "NIKON D90", "ExposureTime": "1/125",
    ...                 "MeteringMode": 5, "FocalLength": "0 mm"})
    {'ExposureTime': 0.008, 'Make': 'nikon', 'MeteringMode': 'pattern', 'Model': 'd90'}
    """
    facts: dict[str, Any] = {}
    for name in NUMERIC_TAGS:
        number = _plausible(name, _number(row.get(name)))
        if number is not None:
            facts[name] = _MARKED.get(name, float)(number)
    for name in CATEGORICAL_TAGS:
        word = _word(name, row.get(name))
        if word:
            facts[name] = word
    if "Model" in facts and "Make" in facts:
        own = facts["Model"].removeprefix(facts["Make"]).lstrip(" -_")
        facts["Model"] = own or facts["Model"]
    return facts


_MARKED = {
    "ApertureValue": marked_f_number,
    "ExposureBiasValue": marked_bias,
    "ExposureTime": marked_seconds,
    "FNumber": marked_f_number,
    "ShutterSpeedValue": marked_seconds,
}


def _plausible(name, number):
    """``number``, or None where no camera can have meant it."""
    low, high = PLAUSIBLE[name]
    if number is None or not low <= number <= high:
        return None
    return None if name == "ISOSpeedRatings" and number == _ISO_ELSEWHERE else number


def _number(value):
    """A finite float, or None."""
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value.replace("\x00", "").strip())
        if not match:
            return None
        try:
            value = float(match[1]) / float(match[2] or 1)
        except ZeroDivisionError:
            return None
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _word(name, value):
    """A lower-case word for a categorical tag, or ''."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "ignore")
    code = _number(value)
    if name in ("Make", "Model"):
        text = _text(value) if isinstance(value, str) else ""
        return maker(text) if name == "Make" else model(text)
    if code is not None:
        code = int(code) if code == int(code) else -1
        return _flash(code) if name == "Flash" else _WORDS[name].get(code, "")
    text = _text(value) if isinstance(value, str) else ""
    letters = re.sub(r"[^a-z]", "", text)
    if letters in _UNKNOWN:
        return ""
    if name == "Flash":
        return _flash_words(letters) or text
    same = {re.sub(r"[^a-z]", "", word): word for word in _WORDS[name].values()}
    return (same | _SYNONYMS[name]).get(letters, text)


def _text(value):
    """Lower case, without control characters, with single spaces."""
    printable = "".join(letter if letter.isprintable() else " " for letter in value)
    return " ".join(printable.lower().split())


def _flash(code):
    """EXIF's bit field: bit 0 = fired, bit 5 = the camera has no flash."""
    if not 0 <= code < 128:
        return ""
    return "fired" if code & 1 else "no flash" if code & 32 else "not fired"


def _flash_words(letters):
    if letters.startswith(("noflash",)):
        return "no flash"
    if "notfire" in letters or letters in ("no", "off", "false") or letters.startswith("off"):
        return "not fired"
    return "fired" if "fired" in letters or letters in ("yes", "on", "true") else ""
