"""Real data in the folder layouts that people have."""

import json
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image
from sklearn.utils import Bunch

from ..ground.types import StrPath
from ..ground.warn import warn
from ..photos.exif import normalise_exif
from ..photos.faces import Face
from ..photos.folders import directory, images_below
from ..photos.records import PhotoRecord

PHOTOGRAPHS: tuple[str, ...] = (
    "0_real",
    "real",
    "reals",
    "nature",
    "natural",
    "photo",
    "photos",
    "photographs",
)
PHOTOGRAPHS += ("photographic", "original", "originals", "authentic")
_GENERIC = {"1_fake", "fake", "fakes", "ai", "generated", "synthetic"}
_GENERIC |= {"train", "training", "val", "valid", "validation", "test"}


def load_generator_folders(root: StrPath, *, photographs: Iterable[str] = PHOTOGRAPHS) -> Bunch:
    """Read a folder that holds one folder a generator, and folders of photographs.

    The label of an image follows from the names of the folders between it and ``root``: it is a
    photograph if one of them is in ``photographs``. Otherwise it is AI-generated, and its generator
    is the outermost folder whose name says more than "fake", "ai", "generated", "train", "val" or
    "test" do. That covers ``sdxl/*.png`` beside ``real/*.jpg``; CNNDetection's
    ``progan/cat/0_real`` and ``progan/cat/1_fake`` [1]_; and GenImage's ``Midjourney/train/ai`` and
    ``Midjourney/train/nature`` [2]_. Hidden files and folders, files that are no images and images
    that lie in ``root`` itself are left out.

    Parameters
    ----------
    root : str or os.PathLike
    photographs : iterable of str
        Names of the folders that hold photographs, in any case. Name yours if they are called
        otherwise, such as ``photographs=["celeba-face"]``.

    Returns
    -------
    sklearn.utils.Bunch
        Sorted by path, one entry an image:

        - ``paths`` : list of str
        - ``y`` : ndarray of int, 1 = photograph, 0 = AI-generated
        - ``generator`` : ndarray of str, ``"photographic"`` for photographs
        - ``folder`` : ndarray of str, the folder relative to ``root``, with forward slashes; for
          photographs it tells one source from another

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If ``root`` is missing or is a file.
    ValueError
        If there are no images in folders below it.

    Warns
    -----
    UserWarning
        If none of the images is a photograph: their folder's name may just be unknown.

    See Also
    --------
    load_fdf : The paper's photographs.
    sklearn_blades.evaluation.evaluate_by_generator : Judges a detector on them.

    References
    ----------
    .. [1] Wang et al., CVPR 2020, https://github.com/PeterWang512/CNNDetection
    .. [2] Zhu et al., NeurIPS 2023, https://github.com/GenImage-Dataset/GenImage

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("real/a.jpg", "sdxl/b.jpg"):
    ...         file = Path(root, name)
    ...         file.parent.mkdir()
    ...         file.touch()
    ...     data = load_generator_folders(root)
    >>> data.y.tolist(), data.generator.tolist()
    ([1, 0], ['photographic', 'sdxl'])
    """
    if isinstance(photographs, str):
        photographs = [photographs]
    known = {name.casefold() for name in photographs}
    root = directory(root)
    files = [file for file in images_below(root) if file.parent != root]
    if not files:
        raise ValueError(
            f"{root}: no images in folders below it; put the images of each generator into a "
            "folder of its name, and photographs into a folder 'real'."
        )
    folders = [file.parent.relative_to(root).parts for file in files]
    real = np.array([any(part.casefold() in known for part in parts) for parts in folders])
    if not real.any():
        found = ", ".join(sorted({parts[0] for parts in folders})[:10])
        warn(
            f"{root}: no photographs among {found}. If one of these holds photographs, name it: "
            "load_generator_folders(root, photographs=[...]).",
        )
    names = [
        "photographic" if photographic else _generator(parts)
        for photographic, parts in zip(real, folders, strict=True)
    ]
    return Bunch(
        paths=[str(file) for file in files],
        y=real.astype(int),
        generator=np.array(names),
        folder=np.array(["/".join(parts) for parts in folders]),
    )


def _generator(parts):
    """The outermost telling name, or the innermost one where none tells anything."""
    telling = (part for part in parts if part.casefold() not in _GENERIC)
    return next(telling, parts[-1])


def load_fdf(root: StrPath, *, exif: Any = None) -> list[PhotoRecord]:
    """Read Flickr Diverse Faces, the photographs that the method was published on.

    The layout is that of the data set's own ``download.py`` [1]_: ``fdf_metainfo.json`` beside a
    folder ``images`` that holds ``{index}.png``, either directly (FDF256) or in one folder a
    resolution (``images/128``), of which the largest is read. Only images that are on disk become
    records: one licence's part of the data set is enough. Eyes and box are the data set's. It
    marks no mouth: we put it as far below the tip of the nose, at a right angle to the line
    through the eyes, as the tip is below that line.

    Parameters
    ----------
    root : str or os.PathLike
        The folder with ``fdf_metainfo.json``; of FDF256, its ``train`` or its ``val``.
    exif : mapping {index: {tag: value}}, optional
        The images are PNG without EXIF; this is where EXIF of the Flickr originals comes in, by
        the index of the image (str or int) and in the form of
        `~sklearn_blades.photos.exif.normalise_exif`.

    Returns
    -------
    list of PhotoRecord
        In the order of the index, with faces in fractions of the image. Where the eyes coincide,
        as in profiles, the face is the canonical one of its box.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If ``root`` or one of its two parts is missing.
    ValueError
        If there are no images, or an entry cannot be understood.

    See Also
    --------
    load_generator_folders : Reads one folder a generator.
    sklearn_blades.photos.read_photos : Reads any files, with EXIF and face boxes of yours.

    References
    ----------
    .. [1] Hukkelås, Mester, Lindseth, "DeepPrivacy", ISVC 2019, https://github.com/hukkelas/FDF
    """
    folder = directory(root)
    metainfo = folder / "fdf_metainfo.json"
    if not metainfo.is_file():
        raise FileNotFoundError(
            f"{metainfo}: missing; run FDF's download.py with --target_directory {folder}."
        )
    try:
        entries = json.loads(metainfo.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{metainfo}: not JSON ({error}); download it again.") from error
    facts = {str(index): normalise_exif(row) for index, row in (exif or {}).items()}
    records = []
    for file in _numbered_images(folder):
        try:
            face = _fdf_face(entries[file.stem], file)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ValueError(
                f"{metainfo}: no usable entry {file.stem!r} for {file} ({error!r})."
            ) from error
        records.append(PhotoRecord(str(file), facts.get(file.stem, {}), face))
    return records


def _numbered_images(root):
    """``images/{index}.png`` or ``images/{largest resolution}/{index}.png``, by index."""
    folder = directory(root / "images")
    sizes = [int(part.name) for part in folder.iterdir() if re.fullmatch(r"\d+", part.name)]
    if sizes:
        folder = folder / str(max(sizes))
    files = [file for file in folder.glob("*.png") if re.fullmatch(r"\d+", file.stem)]
    if not files:
        raise ValueError(
            f"{folder}: no images named by their index, such as 0.png; run FDF's download.py "
            "with --download_images."
        )
    return sorted(files, key=lambda file: int(file.stem))


def _fdf_face(entry, file):
    """A Face from an entry of the metainfo.

    The seven landmarks are nose, right eye, left eye, ears, shoulders, as seven pairs (FDF) or as
    fourteen numbers (FDF256).
    """
    box = _fractions(entry["bounding_box"], file)
    nose, one, other = _fractions(entry["landmark"], file).reshape(7, 2)[:3]
    along, middle = other - one, (one + other) / 2
    if np.hypot(*along) < 0.1 * (box[2] - box[0]):
        return Face.from_box(box)
    down = np.array([-along[1], along[0]]) / np.hypot(*along)
    mouth = nose + down * ((nose - middle) @ down)
    return Face(tuple(box), (tuple(one), tuple(other)), tuple(mouth))


def _fractions(numbers, file):
    """Positions in fractions of a square image; FDF has them so, FDF256 in pixels."""
    numbers = np.asarray(numbers, dtype=float)
    if np.abs(numbers).max() <= 3:
        return numbers
    with Image.open(file) as image:
        return numbers / image.width
