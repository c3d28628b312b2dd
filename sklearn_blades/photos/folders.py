"""Folders, patterns and names of pictures become a list of files."""

import glob
import os
from collections.abc import Iterable
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


def rows_of(X):
    """A folder as the list of its images, anything else as it is."""
    if isinstance(X, str | os.PathLike):
        files = [str(path) for path in images_below(directory(X))]
        if not files:
            raise ValueError(f"{os.fspath(X)}: no images in this folder or below it.")
        return files
    return list(X) if isinstance(X, tuple) else X


def files_at(where: StrPath | Iterable[StrPath]) -> list[str]:
    """Paths of all files that are meant, each once, in the order in which they were named.

    Parameters
    ----------
    where : str or Path, or an iterable of them
        A folder stands for `images_below` it; a pattern (``"uploads/*.jpg"``, ``**`` for folders
        at any depth) for the files that match it, sorted; a file for itself, whatever its suffix.
        An image file that is named and not there stays in the list: whoever reads it says so.

    Raises
    ------
    FileNotFoundError
        For a name that is neither there nor an image file's by its suffix.
    ValueError
        Where a pattern or a folder holds no image, or nothing is named.
    """
    names = [where] if isinstance(where, str | os.PathLike) else list(where)
    found: dict[str, None] = {}
    for name in names:
        if not isinstance(name, str | os.PathLike):
            raise TypeError(f"{name!r}: a path or a pattern is needed, not {type(name).__name__}.")
        found.update(dict.fromkeys(_meant(os.fspath(name))))
    if not found:
        raise ValueError("No photographs were named.")
    return list(found)


def _meant(name):
    path = Path(name)
    if path.is_dir():
        files = [str(path) for path in images_below(path)]
        problem = "no images in this folder or below it."
    elif not os.path.lexists(path) and glob.has_magic(name):
        matches = glob.glob(name, recursive=True)  # noqa: PTH207  a Path's must be relative
        files = sorted(match for match in matches if Path(match).is_file())
        problem = "no file matches this pattern."
    elif os.path.lexists(path) or path.suffix.lower() in SUFFIXES:
        return [name]
    else:
        raise FileNotFoundError(f"{name}: there is no such file or folder.")
    if not files:
        raise ValueError(f"{name}: {problem}")
    return files
