"""A folder of pictures becomes a list of files."""

import os
from pathlib import Path

from ..ground.types import StrPath

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".avif", ".heic", ".heif"}
)
"""By which an image file is known, in any case."""


def directory(root: StrPath) -> Path:
    """``root`` as a Path, if it is a directory.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If it is missing or is a file.
    """
    root = Path(root)
    if not root.exists():
        raise FileNotFoundError(f"{root}: there is no such folder.")
    if not root.is_dir():
        raise NotADirectoryError(f"{root}: a file; give the folder that holds the images.")
    return root


def images_below(root: StrPath) -> list[Path]:
    """Paths of the image files below a folder, sorted; hidden files and folders left out.

    Links to files are followed, links to folders are not: they may lead in a circle.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("b.JPG", "a.png", "notes.txt", ".hidden.jpg"):
    ...         Path(root, name).touch()
    ...     [path.name for path in images_below(root)]
    ['a.png', 'b.JPG']
    """
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                found.append(Path(folder, name))
    return sorted(found)
