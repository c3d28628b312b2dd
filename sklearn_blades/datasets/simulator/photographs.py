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
from .learned import LEARNED, draw
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
    """Write simulated photographs of faces, or generated pictures of the like, as JPEG files.

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
    generated : {None, "diffusion", "vae", "upsampling", "oversmooth", "spectral", "noiseless"}
        None writes photographs.

        "diffusion" and "vae" are **generators**, a diffusion model and a variational autoencoder
        of a million numbers each, trained on simulated photographs of both sources. There was no
        person, no light and no camera: they draw the whole picture from random numbers, 192 pixels
        wide, in the look of the source that is asked for; then it is scaled to the width of a
        photograph. As usual, what the autoencoder draws is soft. torch is imported for them; a
        picture takes a tenth of a second or two.

        The others are hand-made **stand-ins** for a generator that has learned the look of the
        source's photographs: each repaints them with its own fingerprint, lattices of uneven
        transposed convolutions, surfaces without texture, a power spectrum that decays too
        slowly, or no sensor at all (neither noise nor mosaic).

        None of these files holds EXIF; they are saved with the widths, the tables and the
        coarseness of the photographs, so that these say nothing, and the stand-ins' brightness
        neither. The size of the file says little for the stand-ins (AUC up to 0.7 with EXIF left
        out, since texture is what JPEG pays for).
    random_state : None, int, numpy Generator or RandomState
        An integer gives the same files byte for byte, and the first files are the same for any
        ``n`` (of a generator: on one machine, with one number of torch's threads); a
        Generator or a RandomState is advanced by one draw. Where two calls share an integer,
        picture i shows the same person in the same light, whatever the source and the stand-in;
        use different integers for faces that must differ. The people that the generators were
        trained on have the integers from 2**64 - 4096 to 2**64 - 1. numpy's and torch's global
        states are neither read nor changed.

    Returns
    -------
    list of str
        The paths ``folder/{source}[-{generated}]-{index}.jpg``, in order.

    Raises
    ------
    ValueError
        For a name or a number that is not among those above.

    See Also
    --------
    load_generator_folders : Reads pictures of your own.
    sklearn_blades.photos.read_exif : Reads the tags that these photographs carry.

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
        _check_name("generated", generated, (*GENERATORS, *LEARNED))
    seed = _seed(random_state)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stem = source if generated is None else f"{source}-{generated}"
    paths = [folder / f"{stem}-{index:05d}.jpg" for index in range(n)]
    streams = [_streams([seed, index]) for index in range(n)]
    if generated in LEARNED:
        _write_drawn(paths, source, generated, streams)
    else:
        for path, of_one in zip(paths, streams, strict=True):
            _write(path, source, generated, of_one)
    return [str(path) for path in paths]


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


def _streams(seed):
    """Random streams of scene, camera and noise.

    One each, so that the same seed shows the same person whatever the source and the stand-in are.
    """
    return [np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(3)]


def _format(source, camera_rng):
    """Camera, width in pixels and coarseness of a file: alike for all that is written."""
    body = SOURCES[source][camera_rng.integers(len(SOURCES[source]))]
    return body, int(camera_rng.integers(160, 193)), camera_rng.uniform(0.7, 3.0)


def _write(path, source, generated, streams):
    """Write a photograph, or what a stand-in makes of it."""
    scene_rng, camera_rng, noise_rng = streams
    scene = sample_scene(scene_rng)
    body, side, coarseness = _format(source, camera_rng)
    exposed, settings, kelvin = photograph(scene, body, side, camera_rng)
    if generated not in SENSORLESS:
        exposed = sensor(exposed, settings, noise_rng)
    picture = develop(exposed, scene, settings, kelvin)
    if generated is not None:
        picture = GENERATORS[generated](picture)
    exif = {"exif": exif_of(settings)} if generated is None else {}
    pixels = np.rint(np.clip(picture, 0, 255)).astype(np.uint8).transpose(1, 2, 0)
    _save(Image.fromarray(np.ascontiguousarray(pixels)), path, body, coarseness, **exif)


def _write_drawn(paths, source, generated, streams):
    """Write what a learned generator draws, scaled to the widths of photographs."""
    pictures = draw(generated, source, [scene_rng for scene_rng, _, _ in streams])
    for path, (_, camera_rng, _), pixels in zip(paths, streams, pictures, strict=True):
        body, side, coarseness = _format(source, camera_rng)
        image = Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS)
        _save(image, path, body, coarseness)


def _save(image, path, body, coarseness, **exif):
    image.save(
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
