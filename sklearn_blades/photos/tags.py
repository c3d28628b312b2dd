"""The tags as they stand in an image: no units, no meaning yet."""

import io
from typing import Any

from .containers.png import raw_profile
from .containers.tiff import EXIF_DIRECTORY, Tiff
from .files import exif_orientation

_CODES = {
    "Make": 0x010F,
    "Model": 0x0110,
    "ExposureTime": 0x829A,
    "FNumber": 0x829D,
    "ExposureProgram": 0x8822,
    "ISOSpeedRatings": 0x8827,
    "SensitivityType": 0x8830,
    "StandardOutputSensitivity": 0x8831,
    "RecommendedExposureIndex": 0x8832,
    "ISOSpeed": 0x8833,
    "ShutterSpeedValue": 0x9201,
    "ApertureValue": 0x9202,
    "ExposureBiasValue": 0x9204,
    "MeteringMode": 0x9207,
    "Flash": 0x9209,
    "FocalLength": 0x920A,
    "ExposureMode": 0xA402,
    "WhiteBalance": 0xA403,
    "SceneCaptureType": 0xA406,
}


def raw_tags(image) -> dict[str, Any]:
    """What an image opened by `open_header` says, as written: ``{tag: number, text or bytes}``.

    Times and apertures in APEX where the tag is; of several values the first.
    """
    stream = getattr(image, "exif_stream", None)
    if stream is None:
        return {}
    tiff = Tiff(stream)
    base, _ = tiff.directory(tiff.first)
    inner, _ = tiff.directory(tiff.value(base.get(EXIF_DIRECTORY), 0))
    known = base | inner
    found = {name: tiff.value(known.get(code)) for name, code in _CODES.items()}
    return {name: value for name, value in found.items() if value is not None}


def orientation(image) -> int:
    """The EXIF orientation that is left to apply, 1 to 8; 1 where none is said."""
    if hasattr(image, "turn"):
        return image.turn
    # An image that was handed over. A PNG's tags may stand behind its pixels, and Pillow turns a
    # TIFF as it decodes it.
    image.load()
    if hasattr(image, "tag_v2"):
        return 1
    block = image.info.get("exif")
    if not block and "Raw profile type exif" in image.info:
        block = raw_profile(str(image.info["Raw profile type exif"]).encode("latin-1", "replace"))
    if block:  # read here: Pillow warns where it is corrupt
        return exif_orientation(io.BytesIO(bytes(block).removeprefix(b"Exif\x00\x00")))
    if "xmp" in image.info:  # Pillow would take an orientation from there, which files do not get
        return 1
    value = image.getexif().get(0x0112, 1)
    return value if value in range(1, 9) else 1
