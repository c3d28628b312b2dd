"""Simulated photographs of simulated faces, for tests, documentation and a first try."""

import math
import numbers
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from ...ground.types import RandomState, StrPath
from .bodies import SOURCES
from .camera import develop, photograph, sensor
from .scene import sample_scene
from .stand_ins import GENERATORS, SENSORLESS

LABEL = "sklearn_blades simulated photograph"
_EXIF_IFD = 0x8769


def make_photos(
    n: int,
    folder: StrPath,
    *,
    source: Any = "first",
    generated: str | None = None,
    random_state: RandomState = None,
) -> list[str]:
    """Write simulated photographs of faces, or stand-ins for generated ones, as JPEG files.

    **Everything is made up**: faces, cameras and generators. The pictures are for tests,
    documentation and a first try; what a detector scores on them proves that its machinery works
    and says nothing of its worth on real pictures. Each file says so in a JPEG comment, the
    photographs in EXIF ``Software`` too: "sklearn_blades simulated photograph".

    A photograph is a face lit from one side, taken by a small camera model: metering, the exposure
    triangle (ISO, f-number, time), defocus, diffraction, motion, vignetting, a Bayer mosaic with
    shot and read noise, white balance, colour matrix, tone curve, noise reduction, sharpening and
    the make's own JPEG tables. It is square, 160 to 192 pixels wide, and 1.6 times as wide as its
    face box, which is at its centre but for a small jitter: use ``face_locator="whole",
    face_margin=1.6``. Its EXIF holds the 15 tags that ``read_exif`` knows, and each has left a
    physical trace in the pixels, strong (ISO) or weak (metering).

    Parameters
    ----------
    n : int
        How many.
    folder : str or os.PathLike
        Where to; created where it is missing. Files of the same name are overwritten.
    source : {"first", "second"}
        Where the photographs come from: the two have different makes, sensors, processing and
        JPEG tables, so that a shift of source can be shown.
    generated : {None, "upsampling", "oversmooth", "spectral", "noiseless"}
        None writes photographs. Otherwise a stand-in for a generator that has learned the look of
        the source's photographs repaints them with its own fingerprint: lattices of uneven
        transposed convolutions, surfaces without texture, a power spectrum that decays too
        slowly, or no sensor at all (neither noise nor mosaic). These files hold no EXIF; they are
        saved with the tables and at the coarseness of the photographs, so that brightness and
        width say nothing and the size of the file little (AUC up to 0.7 with EXIF left out, since
        texture is what JPEG pays for).
    random_state : None, int, numpy Generator or RandomState
        An integer gives the same files byte for byte, and the first files are the same for any
        ``n``; a Generator or a RandomState is advanced by one draw. Where two calls share an
        integer, picture i shows the same person in the same light, whatever the source and the
        generator; use different integers for faces that must differ. numpy's global state is
        neither read nor changed.

    Returns
    -------
    list of str
        The paths ``folder/{source}[-{generated}]-{index}.jpg``, in order.

    Raises
    ------
    ValueError
        For a name or a number that is not among those above.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_blades.photos import read_exif
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     photograph, *_ = make_photos(3, folder, random_state=0)
    ...     fake, *_ = make_photos(3, folder, generated="upsampling", random_state=1)
    ...     len(read_exif(photograph)), len(read_exif(fake))
    (15, 0)
    """
    if not isinstance(n, numbers.Integral) or n < 0:
        raise ValueError(f"n={n!r}: the number of pictures, an integer of at least 0.")
    _check_name("source", source, SOURCES)
    if generated is not None:
        _check_name("generated", generated, GENERATORS)
    seed = _seed(random_state)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stem = source if generated is None else f"{source}-{generated}"
    paths = []
    for index in range(n):
        path = folder / f"{stem}-{index:05d}.jpg"
        _write(path, source, generated, [seed, index])
        paths.append(str(path))
    return paths


def _check_name(parameter, name, names):
    if name not in names:
        raise ValueError(f"{parameter}={name!r}: choose from {', '.join(map(repr, names))}.")


def _seed(random_state):
    """An integer from None, an integer, a RandomState or a Generator."""
    if random_state is None:
        return np.random.SeedSequence().entropy
    if isinstance(random_state, numbers.Integral) and random_state >= 0:
        return int(random_state)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**32))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**32, dtype=np.uint64))
    raise ValueError(
        f"random_state={random_state!r}: None, an integer of at least 0, a numpy Generator or a "
        "RandomState."
    )


def _write(path, source, generated, seed):
    """Write one picture.

    Scene, camera and noise have a random stream each, so that the same seed shows the same person
    whatever the source and the generator are.
    """
    streams = np.random.SeedSequence(seed).spawn(3)
    scene_rng, camera_rng, noise_rng = map(np.random.default_rng, streams)
    scene = sample_scene(scene_rng)
    body = SOURCES[source][camera_rng.integers(len(SOURCES[source]))]
    side, coarseness = int(camera_rng.integers(160, 193)), camera_rng.uniform(0.7, 3.0)
    exposed, settings, kelvin = photograph(scene, body, side, camera_rng)
    if generated not in SENSORLESS:
        exposed = sensor(exposed, settings, noise_rng)
    picture = develop(exposed, scene, settings, kelvin)
    if generated is not None:
        picture = GENERATORS[generated](picture)
    exif = {"exif": exif_of(settings)} if generated is None else {}
    pixels = np.rint(np.clip(picture, 0, 255)).astype(np.uint8).transpose(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(pixels)).save(
        path,
        "JPEG",
        qtables=body.quantisation(coarseness),
        subsampling=body.subsampling,
        comment=LABEL.encode(),
        **exif,
    )


def exif_of(settings):
    """The EXIF block of a photograph (Pillow's ``Image.Exif``)."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = settings.body.make, settings.body.model, LABEL
    third = round(3 * settings.bias)
    exif[_EXIF_IFD] = {
        0x829A: IFDRational(1, settings.speed),
        0x829D: IFDRational(round(10 * settings.f_number), 10),
        0x8822: settings.program,
        0x8827: settings.iso,
        0x9000: b"0232",
        0x9201: _rational(math.log2(settings.speed)),
        0x9202: _rational(2 * math.log2(settings.f_number)),
        0x9204: IFDRational(third, 3),
        0x9207: settings.metering,
        0x9209: settings.flash,
        0x920A: IFDRational(round(10 * settings.focal_length), 10),
        0xA402: settings.exposure_mode,
        0xA403: int(settings.manual_white_balance),
        0xA406: settings.capture_type,
    }
    return exif


def _rational(value):
    return IFDRational(round(1000 * value), 1000)
