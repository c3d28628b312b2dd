"""What several rooms' tests draw and write: a block of EXIF, and a face that Haar finds."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from PIL.TiffImagePlugin import IFDRational

TAGS = {
    0x010F: ("base", "NIKON CORPORATION\x00"),
    0x0110: ("base", "NIKON D90 "),
    0x9202: ("exif", IFDRational(3)),  # APEX: f/2.83, marked f/2.8
    0x9201: ("exif", IFDRational(7)),  # APEX: 1/128 s, marked 1/125 s
    0x829A: ("exif", IFDRational(1, 125)),
    0x829D: ("exif", IFDRational(28, 10)),
    0x920A: ("exif", 50.0),  # as a double, which is not the standard's but occurs
    0x9204: ("exif", IFDRational(-1, 3)),
    0x8827: ("exif", 400),
    0x9207: ("exif", 5),
    0x9209: ("exif", 0x10),
    0xA402: ("exif", 1),
    0xA403: ("exif", 0),
    0xA406: ("exif", 2),
    0x8822: ("exif", 3),
}
FACTS = {
    "ApertureValue": 2.8,
    "ExposureBiasValue": -1 / 3,
    "ExposureTime": 1 / 125,
    "FNumber": 2.8,
    "FocalLength": 50.0,
    "ISOSpeedRatings": 400.0,
    "ShutterSpeedValue": 1 / 125,
    "ExposureMode": "manual",
    "ExposureProgram": "aperture priority",
    "Flash": "not fired",
    "Make": "nikon",
    "MeteringMode": "pattern",
    "Model": "d90",
    "SceneCaptureType": "portrait",
    "WhiteBalance": "auto",
}


def block(tags=TAGS):
    exif, inner = Image.Exif(), {}
    for code, (place, value) in tags.items():
        (exif if place == "base" else inner)[code] = value
    exif[0x8769] = inner
    return exif.tobytes()


def portrait(width=400, height=400, box=(0.25, 0.2, 0.75, 0.7)):
    """A drawn face that Haar's cascade finds, its box about ``box``."""
    scale = 2
    image = Image.new("RGB", (width * scale, height * scale), (120, 140, 165))
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = np.array(box) * [width, height, width, height] * scale

    def oval(x, y, rx, ry, colour):
        cx, cy = left + x * (right - left), top + y * (bottom - top)
        dx, dy = rx * (right - left), ry * (bottom - top)
        draw.ellipse((cx - dx, cy - dy, cx + dx, cy + dy), fill=colour)

    oval(0.5, 0.45, 0.58, 0.72, (60, 45, 40))  # hair
    oval(0.5, 0.52, 0.46, 0.62, (222, 180, 155))
    for x in (0.31, 0.69):
        oval(x, 0.38, 0.15, 0.085, (165, 120, 100))  # the eye's socket
        oval(x, 0.27, 0.14, 0.022, (70, 50, 40))
        oval(x, 0.40, 0.09, 0.042, (235, 230, 225))
        oval(x, 0.40, 0.042, 0.042, (45, 30, 25))
    oval(0.5, 0.55, 0.05, 0.14, (238, 200, 178))  # the nose's ridge
    oval(0.5, 0.66, 0.09, 0.022, (150, 100, 85))
    oval(0.5, 0.80, 0.19, 0.045, (165, 75, 75))
    oval(0.5, 0.80, 0.17, 0.010, (90, 35, 40))
    blurred = image.filter(ImageFilter.GaussianBlur(2.5 * scale))
    return blurred.resize((width, height), Image.Resampling.BOX)
