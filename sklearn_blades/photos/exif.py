"""What the camera wrote: 15 EXIF tags, numbers in base units, enumerations in words."""

import io
import logging
import math
import re

import exifread

from .files import open_header

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
_CORPORATE = re.compile(
    "ag|cameras?|co|communications|company|computer|corp|corporation|digital|eastman|electric|"
    "electronics|global|gmbh|imaging|inc|industrial|international|limited|ltd|mobile|optical|"
    "solutions|techwin|technolog(y|ies)"
)
_SAME_MAKER = {"lge": "lg", "fuji photo film": "fujifilm", "hewlett packard": "hp"}

_NUMBER = re.compile(
    r"(?:f\s*/?\s*)?([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?:\s*/\s*(\d+\.?\d*))?"
    r"\s*(?:mm|sec|s|ev|iso)?\.?",
    re.IGNORECASE,
)
_EXIF_DIRECTORY, _ORIENTATION = 0x8769, 0x0112
_CODES = {0x010F, 0x0110, _ORIENTATION, _EXIF_DIRECTORY, 0x829A, 0x829D, 0x8822, 0x8827, 0x9201}
_CODES |= {0x9202, 0x9204, 0x9207, 0x9209, 0x920A, 0xA402, 0xA403, 0xA406}  # ours, orientation
_HEADER = b"Exif\x00\x00"
_BLOCK_SIZE = 1 << 16  # a JPEG segment's limit; cameras keep the tags well before it everywhere

logging.getLogger("exifread").addHandler(logging.NullHandler())
logging.getLogger("exifread").setLevel(logging.CRITICAL)  # a corrupt tag is an absent tag


def read_exif(path):
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
        last two kinds converted from APEX), ``FocalLength`` in mm, ``ExposureBiasValue`` in EV,
        ``ISOSpeedRatings`` as ISO speed. Enumerations are lower-case words. What is missing,
        unknown, corrupt or impossible is absent.

    Raises
    ------
    PhotoError
        Where the file cannot be opened as an image. Corrupt EXIF raises nothing.
    """
    with open_header(path) as image:
        return normalise_exif(_base_units(raw_tags(image)))


def raw_tags(image, codes=frozenset(_CODES)):
    """What exifread finds in an opened image: ``{"EXIF FNumber": IfdTag, ...}``.

    Only tags of these codes are looked at. In a PNG, EXIF that stands after the pixels is not
    found: it would mean decoding them.
    """
    try:
        block = _exif_block(image)
        if not block:
            return {}
        return exifread.process_file(io.BytesIO(_wanted_only(block, codes)), details=False)
    except Exception:  # exifread meets hostile bytes and raises nearly anything
        return {}


def orientation(image):
    """The EXIF orientation that is left to apply, 1 to 8; 1 where none is said."""
    if image.format == "TIFF":  # Pillow turns these itself
        return 1
    tag = raw_tags(image, {_ORIENTATION}).get("Image Orientation")
    value = tag.values[0] if tag is not None and tag.values else 1
    return value if value in range(1, 9) else 1


def _exif_block(image):
    """The TIFF structure that holds the tags, at most `_BLOCK_SIZE` bytes of it, or b""."""
    if image.format == "TIFF" and getattr(image, "fp", None):
        position = image.fp.tell()
        image.fp.seek(0)
        block = image.fp.read()  # a TIFF's tags may stand anywhere
        image.fp.seek(position)
        return block
    block = image.info.get("exif", b"")
    if not block and "Raw profile type exif" in image.info:  # ImageMagick's way in PNG
        digits = "".join(str(image.info["Raw profile type exif"]).split("\n")[3:])
        block = bytes.fromhex(digits) if re.fullmatch(r"(?:[0-9a-fA-F]{2})*", digits) else b""
    return bytes(block).removeprefix(_HEADER)[:_BLOCK_SIZE]


def _wanted_only(block, codes):
    """A TIFF structure whose first and EXIF directories hold nothing but the tags of these codes.

    What else directories can hold (chains and loops of further ones, millions of values) is what
    makes readers of EXIF slow or greedy.
    """
    order = {b"II": "little", b"MM": "big"}.get(block[:2])
    if order is None:
        return b""
    block, start = bytearray(block), int.from_bytes(block[4:8], order)
    for _ in range(2):
        count = int.from_bytes(block[start : start + 2], order)
        entries = [block[at : at + 12] for at in range(start + 2, start + 2 + 12 * count, 12)]
        kept = {}
        for entry in entries:
            code = int.from_bytes(entry[:2], order)
            if code in codes and len(entry) == 12:
                kept.setdefault(code, entry)
        directory = len(kept).to_bytes(2, order) + b"".join(kept.values()) + bytes(4)
        block[start : start + len(directory)] = directory
        if _EXIF_DIRECTORY not in kept:
            break
        start = int.from_bytes(kept[_EXIF_DIRECTORY][8:], order)
    return bytes(block)


def _base_units(tags):
    """From exifread's table to ``{tag: value}`` in base units, not yet checked."""
    found = {}
    for name in (*NUMERIC_TAGS, *CATEGORICAL_TAGS):
        tag = tags.get(f"EXIF {name}", tags.get(f"Image {name}"))
        if tag is None or len(tag.values) == 0:
            continue
        value = tag.values if isinstance(tag.values, str | bytes) else tag.values[0]
        found[name] = value[0] if isinstance(value, tuple) else value  # exifread's floats
    for name, power in {"ApertureValue": 0.5, "ShutterSpeedValue": -1.0}.items():
        apex = _number(found.pop(name, None))
        if apex is not None and abs(apex) < 64:  # beyond lies no camera, and float's edge
            found[name] = 2.0 ** (power * apex)
    return found


def normalise_exif(row):
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
        What is missing, not finite, impossible (a focal length of 0) or unreadable is absent.

    Examples
    --------
    >>> normalise_exif({"Make": "NIKON CORPORATION", "Model": "NIKON D90", "ExposureTime": "1/125",
    ...                 "MeteringMode": 5, "FocalLength": "0 mm"})
    {'ExposureTime': 0.008, 'Make': 'nikon', 'MeteringMode': 'pattern', 'Model': 'd90'}
    """
    facts = {}
    for name in NUMERIC_TAGS:
        number = _number(row.get(name))
        if number is not None and (number > 0 or name == "ExposureBiasValue"):
            facts[name] = number
    for name in CATEGORICAL_TAGS:
        word = _word(name, row.get(name))
        if word:
            facts[name] = word
    if "Model" in facts and "Make" in facts:
        own = facts["Model"].removeprefix(facts["Make"]).lstrip(" -_")
        facts["Model"] = own or facts["Model"]
    return facts


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
        return _maker(text) if name == "Make" else text
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


def _maker(text):
    """A maker's short name: the words that are neither legal forms nor kinds of business."""
    words = re.findall(r"[^\W_]+", text)
    kept = " ".join(word for word in words if not _CORPORATE.fullmatch(word)) or " ".join(words)
    return "" if kept in _UNKNOWN else _SAME_MAKER.get(kept, kept)


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
