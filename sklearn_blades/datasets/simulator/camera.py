"""A small camera: exposure, optics, sensor and processing, from a scene to 8-bit RGB.

Each function is one station on the way of the light. Radiances are linear with a white surface
under the key light at 1; after the exposure 1 is a full pixel.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .bodies import Body
from .person import colour
from .scene import FACE_MARGIN, dot, illuminant, look

# Cameras' third stops as their dials show them; a speed of n opens the shutter for 1/n s.
_ISOS = "100 125 160 200 250 320 400 500 640 800 1000 1250 1600 2000 2500 3200 4000 5000 6400 8000"
_STOPS = "1.8 2 2.2 2.5 2.8 3.2 3.5 4 4.5 5 5.6 6.3 7.1 8 9 10 11 13 14 16 18 20 22"
_SPEEDS = "16000 12500 10000 8000 6400 5000 4000 3200 2500 2000 1600 1250 1000 800 640 500 400"
ISOS = tuple(map(int, f"{_ISOS} 10000 12800 16000 20000 25600".split()))
F_NUMBERS = tuple(map(float, _STOPS.split()))
SPEEDS = tuple(map(int, f"{_SPEEDS} 320 250 200 160 125 100 80 60 50 40 30 25 20 15 10".split()))

# EXIF's numbers.
MANUAL, NORMAL, APERTURE_PRIORITY, SHUTTER_PRIORITY, PORTRAIT_PROGRAM = 1, 2, 3, 4, 7
CENTER_WEIGHTED, SPOT, PATTERN = 2, 3, 5
AUTO_BRACKET = 2
STANDARD, LANDSCAPE, PORTRAIT, NIGHT = 0, 1, 2, 3
_PRESETS = (2900, 4000, 5500, 6500)  # kelvin: tungsten, fluorescent, daylight, cloudy
_GREY = 0.18


@dataclass(frozen=True)
class Settings:
    """How one photograph was taken; the numbers that EXIF writes, in its units and codes."""

    body: Body
    focal_length: float
    f_number: float
    speed: int
    iso: int
    bias: float
    program: int
    exposure_mode: int
    metering: int
    manual_white_balance: bool
    flash: int
    capture_type: int

    @property
    def exposure_value(self):
        """EV at ISO 100 for which these settings would be right."""
        return math.log2(self.f_number**2 * self.speed) - math.log2(self.iso / 100)

    @property
    def flash_fired(self):
        return bool(self.flash & 1)


def photograph(scene, body, side, rng):
    """Take a photograph.

    Parameters
    ----------
    scene : Scene
    body : Body
    side : int
        Width and height in pixels.
    rng : numpy Generator
        Decides what the photographer does.

    Returns
    -------
    exposed : ndarray of shape (3, side, side)
        Light on the sensor, linear, 1 = a full pixel; no noise yet.
    settings : Settings
    kelvin : float
        What a manual white balance takes the light for; 0 = automatic.
    """
    choice = choose(scene, body, rng)
    focal_35mm = choice["focal_length"] * body.crop
    view = look(scene, side, focal_35mm, framing=rng.uniform(0.3, 0.6))
    subject, backdrop = view.ambient_light(scene)
    seen = _luminance(backdrop + view.alpha * (subject - backdrop))
    metered = meter(seen, choice["metering"])
    settings = expose(scene, body, choice, metered, rng)
    gain = 2.0 ** (scene.ev - settings.exposure_value)
    subject, backdrop = subject * gain, backdrop * gain
    if settings.flash_fired:
        front, behind = view.flash_light()
        lit = meter(_luminance(front), SPOT)
        power = 2.0**settings.bias * _GREY * 0.9 / lit
        subject, backdrop = subject + power * front, backdrop + power * behind
    exposed = optics(view, subject, backdrop, scene, settings)
    kelvin = rng.choice(_PRESETS) if settings.manual_white_balance else 0.0
    return exposed, settings, float(kelvin)


def choose(scene, body, rng):
    """What the photographer sets before metering."""
    dim = scene.ev < 7
    programs = [NORMAL, APERTURE_PRIORITY, SHUTTER_PRIORITY, MANUAL, PORTRAIT_PROGRAM]
    program = rng.choice(programs, p=[0.4, 0.18, 0.15, 0.15, 0.12])
    bracket = program != MANUAL and rng.random() < 0.12
    steps = [-5 / 3, -4 / 3, 1, 4 / 3] if bracket else [-1, -2 / 3, -1 / 3, 1 / 3, 2 / 3, 1]
    biased = bracket or (program != MANUAL and rng.random() < 0.4)
    capture = rng.choice([STANDARD, LANDSCAPE, PORTRAIT, NIGHT], p=[0.55, 0.13, 0.2, 0.12])
    fired = rng.random() < (0.5 if dim else 0.15)
    low, high = np.log(body.focal_range)
    return {
        "focal_length": round(float(np.exp(rng.uniform(low, high))), 1 if body.crop > 2 else 0),
        "program": int(program),
        "exposure_mode": AUTO_BRACKET if bracket else int(program == MANUAL),
        "bias": float(rng.choice(steps)) if biased else 0.0,
        "metering": int(rng.choice([PATTERN, CENTER_WEIGHTED, SPOT], p=[0.5, 0.25, 0.25])),
        "manual_white_balance": bool(rng.random() < 0.35),
        "flash": int(rng.choice([0x09, 0x19] if fired else [0x10, 0x18])),
        "capture_type": PORTRAIT if program == PORTRAIT_PROGRAM else int(capture),
    }


def _luminance(radiance):
    return dot((0.25, 0.65, 0.10), radiance)


def meter(luminance, mode):
    """Mean luminance that a metering mode sees in a picture of shape (side, side)."""
    side = len(luminance)
    if mode == SPOT:  # the face only
        edge = int(side * (1 - 0.6 / FACE_MARGIN) / 2)
        return float(luminance[edge:-edge, edge:-edge].mean())
    if mode == CENTER_WEIGHTED:
        line = np.exp(-((np.linspace(-1, 1, side, dtype=np.float32) / 0.6) ** 2))
        weight = line / line.sum()
        return float(weight @ luminance @ weight)
    return float(np.minimum(luminance, 0.7).mean())  # pattern: leaves out the brightest things


def _nearest(values, wanted):
    """The standard value nearest to the wanted one, in stops."""
    return min(values, key=lambda value: abs(math.log2(value / wanted)))


def expose(scene, body, choice, metered, rng):
    """Solve the exposure triangle: f-number, time and ISO for the light that was metered.

    At the right exposure ``log2(f_number**2 / time) - log2(ISO / 100)`` is the incident EV plus
    ``log2(metered / 0.18)`` minus the bias; rounding to standard thirds of a stop remains visible.
    In manual mode the photographer guesses.
    """
    program, flash = choice["program"], choice["flash"] & 1
    target = scene.ev + math.log2(max(metered, 1e-3) / _GREY) - choice["bias"]
    if program == MANUAL:
        target = scene.ev + math.log2(1.2) + rng.normal(0.0, 0.8)
    aperture, speed = _wishes(body, choice, target, rng)
    stops = (body.widest,) if body.fixed_lens else [f for f in F_NUMBERS if f >= body.widest]
    isos = [iso for iso in ISOS if iso <= body.iso_max]
    fastest = 250 if flash and not body.fixed_lens else SPEEDS[0]  # a shutter must sync
    slowest = 60 if flash else 15
    f_number = _nearest(stops, aperture)
    light = 2.0**target / 100  # f_number ** 2 * speed = light * iso
    if rng.random() < 0.4 and not flash:
        iso = 100 * 2 ** rng.uniform(0, math.log2(body.iso_max / 100))  # set by hand
    else:
        iso = f_number**2 * speed / light
    iso = min(max(iso, f_number**2 * slowest / light), f_number**2 * fastest / light)
    iso = _nearest(isos, iso)
    if program == SHUTTER_PRIORITY:
        f_number = _nearest(stops, math.sqrt(light * iso / speed))
    if light * iso > f_number**2 * fastest:
        f_number = _nearest(stops, math.sqrt(light * iso / fastest))
    speeds = [n for n in SPEEDS if n <= fastest]
    speed = _nearest(speeds, light * iso / f_number**2)
    return Settings(body, f_number=f_number, speed=speed, iso=iso, **choice)


def _wishes(body, choice, target, rng):
    """The f-number and the speed (1/s) that the program would like at a target EV."""
    aperture = 2.8 * 2 ** (max(target - 7, 0) / 5)
    speed = max(60.0, choice["focal_length"] * body.crop) * 2 ** rng.uniform(-1.3, 1.0)
    if choice["program"] in (APERTURE_PRIORITY, MANUAL):
        aperture = 2 ** rng.uniform(math.log2(body.widest), 3.6)
    elif choice["program"] == PORTRAIT_PROGRAM:
        aperture = body.widest * 2 ** rng.uniform(0, 0.5)
    elif choice["program"] == SHUTTER_PRIORITY:
        speed = 2 ** rng.uniform(8.0, 11.0)  # to freeze a movement
    return aperture, min(max(speed, 60), 200) if choice["flash"] & 1 else speed


def optics(view, subject, backdrop, scene, settings):
    """Defocus behind the subject, lens softness, motion during the exposure, vignetting.

    The circle of confusion of a backdrop ``depth`` behind a face at ``distance`` is
    ``f^2 / N / (distance - f) * depth / (distance + depth)``; diffraction grows with the f-number,
    aberrations with its inverse.
    """
    side, body = subject.shape[-1], settings.body
    focal, far = settings.focal_length / 1000, view.distance + view.depth
    circle = focal**2 / settings.f_number / (view.distance - focal) * view.depth / far
    frame = 0.036 / body.crop  # metres
    width = int(min(circle / frame * side * 1.2, side / 5))
    if width > 1:
        backdrop = ndimage.uniform_filter(backdrop, (1, width, width), mode="nearest")
        backdrop = ndimage.uniform_filter(backdrop, (1, width | 1, width | 1), mode="nearest")
    picture = backdrop + view.alpha * (subject - backdrop)
    soft = 0.35 + 0.5 * (body.widest / settings.f_number) ** 2 * (body.widest < 2.4)
    soft += 0.03 * max(settings.f_number - 8, 0)
    moved = scene.motion / settings.speed * side / 180  # pixels
    blur = (0, soft, math.hypot(soft, 0.5 * min(moved, 8)))
    picture = ndimage.gaussian_filter(picture, blur, mode="nearest", truncate=2.5)
    focal_35mm = settings.focal_length * body.crop
    line = np.linspace(-1, 1, side, dtype=np.float32) ** 2
    corner = line[:, None] + line  # 2 in the corners
    fall = (18 / focal_35mm) ** 2 + 0.25 * (body.widest / settings.f_number) ** 2
    return picture / (1 + 0.5 * fall * corner) ** 2


def sensor(exposed, settings, rng):
    """A Bayer mosaic with shot noise and read noise, and its bilinear reconstruction.

    A pixel at 1 holds ``electrons * 100 / ISO``; the variance of its charge is the charge plus
    the square of the read noise.
    """
    full = settings.body.electrons * 100 / settings.iso
    mosaic = exposed[1].copy()
    mosaic[0::2, 0::2], mosaic[1::2, 1::2] = exposed[0, 0::2, 0::2], exposed[2, 1::2, 1::2]
    variance = np.clip(mosaic, 0, 1) / full + (settings.body.read_noise / full) ** 2
    noise = rng.standard_normal(mosaic.shape, dtype=np.float32)
    return demosaic(np.clip(mosaic + np.sqrt(variance) * noise, 0, 1))


def demosaic(mosaic):
    """Bilinear reconstruction of an RGGB mosaic of shape (side, side) -> (3, side, side)."""
    picture = np.empty((3, *mosaic.shape), np.float32)
    for channel, start in ((0, 0), (2, 1)):
        plane = np.zeros_like(mosaic)
        plane[start::2, start::2] = mosaic[start::2, start::2]
        for axis in (0, 1):
            plane = ndimage.convolve1d(plane, [0.5, 1, 0.5], axis=axis, mode="mirror")
        picture[channel] = plane
    green = mosaic.copy()
    green[0::2, 0::2] = green[1::2, 1::2] = 0
    cross = [0.25, 0, 0.25]
    picture[1] = green + ndimage.convolve1d(green, cross, axis=0, mode="mirror")
    picture[1] += ndimage.convolve1d(green, cross, axis=1, mode="mirror")
    return picture


def develop(linear, scene, settings, kelvin):
    """White balance, colour matrix, tone curve, noise reduction, sharpening: linear -> [0, 255].

    Automatic white balance (``kelvin`` = 0) removes three quarters of the light's colour, in the
    logarithm; a preset removes the colour it stands for, whatever the light is.
    """
    body, kind = settings.body, settings.capture_type
    cast = illuminant(kelvin) if kelvin else illuminant(scene.kelvin) ** 0.75
    gains = np.exp(colour(body.tint[0], 0, body.tint[1])) / cast
    vivid = body.saturation * {LANDSCAPE: 1.35, PORTRAIT: 0.9, NIGHT: 0.8}.get(kind, 1.0)
    grey = np.full((3, 3), 1 / 3)
    tilt = body.matrix_tilt * np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    matrix = 1.5 * (grey + vivid * (np.eye(3) - grey) + tilt) * gains.ravel()
    picture = np.clip([dot(row, linear) for row in matrix.astype(np.float32)], 0, 1)
    picture = np.sqrt(picture) * (0.9 + 0.1 * picture)  # near sRGB's curve, and much cheaper
    contrast = body.contrast * {LANDSCAPE: 1.3, NIGHT: 0.5}.get(kind, 1.0)
    picture += contrast * picture * (1 - picture) * (2 * picture - 1)
    luma = (picture[0] + 2 * picture[1] + picture[2]) / 4
    high_iso = math.log2(settings.iso / 100) / 7
    smoothing = body.denoise * (0.25 + 0.75 * high_iso) * (1.3 if kind == NIGHT else 1.0)
    chroma = picture - luma
    chroma += min(2 * smoothing, 1) * (_box(chroma) - chroma)
    amount = body.sharpen * {LANDSCAPE: 1.4, PORTRAIT: 0.5}.get(kind, 1.0)
    clean = luma + min(smoothing, 1) * (_gauss(luma, 0.8) - luma)
    sharp = clean + amount * (clean - _gauss(clean, body.radius))
    return 255 * np.clip(sharp + chroma, 0, 1)


def _box(picture):
    return ndimage.uniform_filter(picture, (1, 3, 3), mode="nearest")


def _gauss(plane, sigma):
    return ndimage.gaussian_filter(plane, sigma, mode="nearest", truncate=2.5)
