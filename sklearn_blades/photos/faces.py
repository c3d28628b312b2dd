"""Where the face is: locators, the canonical layout of eyes and mouth, and the square crop."""

import math
import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np

# Medians over some 300 portraits, in fractions of the face box. Haar's square box:
_EYES = ((0.31, 0.40), (0.69, 0.40))
_MOUTH = (0.50, 0.79)
# The middle way between that and tighter boxes (eyes at 0.31, mouth at 0.73), for ready-made crops:
_WHOLE_EYES = ((0.30, 0.35), (0.70, 0.35))
_WHOLE_MOUTH = (0.50, 0.76)
SEARCH_SIDE = 1024  # px, long side: larger copies cost time and find no further main faces
_REMEDY = (
    'pip install "sklearn-blades[faces]". Without it, face_locator="whole" takes images that are '
    "face crops already."
)
_spare = {}  # OpenCV's detectors, which keep state while they look, that nobody uses


@dataclass(frozen=True, slots=True)
class Face:
    """A face, in fractions of the upright image, (0, 0) being its top-left corner.

    Parameters
    ----------
    box : tuple of 4 float
        left, top, right, bottom. A box may reach a little over the image's edge.
    eyes : tuple of 2 (x, y) pairs
        The eyes; stored with the one on the image's left first.
    mouth : (x, y)
        The mouth's centre.

    Raises
    ------
    ValueError
        Where a number is not finite, the box is empty, or the box is in pixels.

    Examples
    --------
    >>> Face.from_box((0.25, 0.25, 0.75, 0.75)).mouth
    (0.5, 0.645)
    """

    box: tuple[float, float, float, float]
    eyes: tuple[tuple[float, float], tuple[float, float]]
    mouth: tuple[float, float]

    def __post_init__(self):
        numbers = np.asarray([*self.box, *self.eyes[0], *self.eyes[1], *self.mouth], dtype=float)
        if numbers.shape != (10,) or not np.isfinite(numbers).all():
            raise ValueError(f"{self!r}: four finite numbers for the box, two for each point.")
        left, top, right, bottom, *points = numbers.tolist()
        if not (left < right and top < bottom):
            raise ValueError(f"box={self.box!r}: (left, top, right, bottom) with a positive area.")
        if max(right, bottom) > 3 or min(left, top) < -2:
            raise ValueError(
                f"box={self.box!r} looks like pixels; give fractions of the image: divide left "
                "and right by its width, top and bottom by its height."
            )
        first, second, mouth = zip(points[::2], points[1::2], strict=True)
        object.__setattr__(self, "box", (left, top, right, bottom))
        object.__setattr__(self, "eyes", tuple(sorted((first, second))))
        object.__setattr__(self, "mouth", mouth)

    @classmethod
    def from_box(cls, box, *, eyes=_EYES, mouth=_MOUTH):
        """A face with eyes and mouth at given fractions of its box.

        By default they lie where they lie in the boxes of frontal detectors.
        """
        left, top, right, bottom = (float(number) for number in box)

        def at(point):
            return left + point[0] * (right - left), top + point[1] * (bottom - top)

        return cls((left, top, right, bottom), (at(eyes[0]), at(eyes[1])), at(mouth))

    @property
    def area(self):
        """Area of the box as a fraction of the image."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)

    def moved(self, box):
        """The same face in fractions of ``box``, a part of the image it is in now."""
        left, top, right, bottom = box

        def at(point):
            return (point[0] - left) / (right - left), (point[1] - top) / (bottom - top)

        corners = (*at(self.box[:2]), *at(self.box[2:]))
        return Face(corners, (at(self.eyes[0]), at(self.eyes[1])), at(self.mouth))


def as_face(value):
    """A `Face` from a `Face` or from a plain ``(left, top, right, bottom)`` in fractions."""
    return value if isinstance(value, Face) else Face.from_box(value)


def whole(margin):
    """The face of an image that is itself a crop at ``margin`` times its face box.

    Examples
    --------
    >>> whole(2.0).box
    (0.25, 0.25, 0.75, 0.75)
    """
    edge = (1 - 1 / check_margin(margin)) / 2
    box = (edge, edge, 1 - edge, 1 - edge)
    return Face.from_box(box, eyes=_WHOLE_EYES, mouth=_WHOLE_MOUTH)


def check_margin(margin):
    """``margin`` if it is a number of at least 1, else `ValueError`."""
    if not (isinstance(margin, int | float | np.number) and 1 <= margin < math.inf):
        raise ValueError(f"face_margin={margin!r}: a number of at least 1, such as 1.3.")
    return margin


def look_up(table, path):
    """The face that a ``{path: Face or box}`` table gives for ``path``, or None.

    Keys match as written or else, one by one, by real path; ``read_photos(paths, faces=table)``
    indexes a long table once and for all.
    """
    if not isinstance(path, str | os.PathLike):
        return None
    found = table.get(os.fspath(path), table.get(Path(path)))
    if found is None:
        real = os.path.realpath(path)
        found = next((face for key, face in table.items() if os.path.realpath(key) == real), None)
    return None if found is None else as_face(found)


def locator(face_locator):
    """Turn plain data into a callable that finds faces.

    Parameters
    ----------
    face_locator : "haar", "yunet:/path/to/model.onnx" or callable
        The frontal Haar cascade that OpenCV carries, its YuNet network from a local file, or
        any callable from a PIL RGB image to a list of faces or boxes in fractions.

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
        Where OpenCV is needed and cannot be imported, saying what to install.
    FileNotFoundError
        Where there is no YuNet file at the path.
    """
    if callable(face_locator):
        return lambda image: [as_face(found) for found in face_locator(image)]
    if face_locator == "haar":
        _opencv("CascadeClassifier")
        return _haar
    if isinstance(face_locator, str) and face_locator.startswith("yunet:"):
        model = str(Path(face_locator.removeprefix("yunet:")).expanduser())
        if not Path(model).is_file():
            raise FileNotFoundError(
                f"face_locator={face_locator!r}: there is no file {model!r}; download OpenCV's "
                "YuNet model and write 'yunet:/where/you/put/it.onnx'."
            )
        _opencv("FaceDetectorYN")
        return partial(_yunet, model)
    raise ValueError(
        f"face_locator={face_locator!r}; use 'haar', 'whole', 'yunet:/path/to/model.onnx', a "
        "{path: Face} table, or a callable from an image to a list of faces."
    )


def crop(image, face, margin):
    """Cut a square around a face.

    The square's side is ``margin`` times the larger side of the face box in pixels, at most the
    shorter side of the image; the square is centred on the box and shifted to stay inside.

    Parameters
    ----------
    image : PIL image, upright
    face : Face
        In fractions of ``image``.
    margin : float of at least 1

    Returns
    -------
    PIL image, square
    Face
        The same face in fractions of the square.
    """
    box = square(image.size, face, margin)
    width, height = image.size
    left, top, right, bottom = box
    # resize() at scale 1 is crop() without Pillow's warning about squares of over 89 megapixels.
    part = image.resize((right - left, bottom - top), resample=0, box=box)
    return part, face.moved((left / width, top / height, right / width, bottom / height))


def square(size, face, margin):
    """The pixel box (left, top, right, bottom) that `crop` cuts from an image of ``size``."""
    width, height = size
    left, top, right, bottom = face.box
    wanted = check_margin(margin) * max((right - left) * width, (bottom - top) * height)
    side = max(1, min(round(wanted), width, height))

    def start(low, high, length):
        return min(max(round((low + high) / 2 * length - side / 2), 0), length - side)

    x, y = start(left, right, width), start(top, bottom, height)
    return x, y, x + side, y + side


def _opencv(needed):
    """OpenCV, imported on first use, or an error that says what to type."""
    try:
        import cv2
    except ImportError as error:
        raise ImportError(f"This face locator needs OpenCV: {_REMEDY}") from error
    if not hasattr(cv2, needed):  # version 5 dropped the cascades
        raise ImportError(f"OpenCV {cv2.__version__} has no {needed}: {_REMEDY}")
    return cv2


@contextmanager
def _borrowed(key, make):
    """What ``make()`` gave, for one thread at a time; made again only where all are in use."""
    spare = _spare.setdefault(key, SimpleQueue())
    try:
        detector = spare.get_nowait()
    except Empty:
        detector = make()
    yield detector
    spare.put(detector)


def _search_copy(image):
    """A copy of ``image`` whose long side is at most `SEARCH_SIDE`."""
    copy = image.copy()
    copy.thumbnail((SEARCH_SIDE, SEARCH_SIDE))
    return copy


def _haar(image):
    cv2 = _opencv("CascadeClassifier")
    name = str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml")
    gray = np.asarray(_search_copy(image).convert("L"))
    height, width = gray.shape
    smallest = max(24, min(width, height) // 16)
    with _borrowed("haar", lambda: cv2.CascadeClassifier(name)) as cascade:
        rows = cascade.detectMultiScale(
            gray, scaleFactor=1.1, minNeighbors=5, minSize=(smallest, smallest)
        )
    scale = np.array([width, height, width, height])
    return [Face.from_box(np.array([x, y, x + w, y + h]) / scale) for x, y, w, h in rows]


def _yunet(model, image):
    cv2 = _opencv("FaceDetectorYN")
    bgr = np.ascontiguousarray(np.asarray(_search_copy(image))[:, :, ::-1])
    size = bgr.shape[1], bgr.shape[0]

    def load():
        try:
            return cv2.FaceDetectorYN.create(model, "", size)
        except cv2.error as error:
            raise ValueError(
                f"{model}: OpenCV cannot read it as a YuNet model ({error})."
            ) from error

    with _borrowed(model, load) as detector:
        detector.setInputSize(size)
        return yunet_faces(detector.detect(bgr)[1], size)


def yunet_faces(rows, size):
    """Faces from YuNet's table.

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
    """
    if rows is None:
        return []
    rows = np.asarray(rows, dtype=float)[:, :14].reshape(-1, 7, 2) / np.asarray(size)
    return [
        Face((*corner, *(corner + extent)), (tuple(first), tuple(second)), tuple((a + b) / 2))
        for corner, extent, first, second, _nose, a, b in rows
    ]
