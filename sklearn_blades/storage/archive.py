"""One file for a model: JSON beside safetensors in a zip. Reading it runs nothing."""

import json
import math
import os
import uuid
import zipfile
from pathlib import Path

from safetensors import numpy as safetensors

FORMAT = 1

_CONTENT, _TENSORS = "blades.json", "tensors.safetensors"
_NAME_AT = 30  # bytes of a zip's first header before its first member's name
_MOST_JSON = 1 << 24  # bytes; a tree of Python objects takes some twenty times as many


def is_container(path):
    """Whether a file begins as `write_container` begins one; torch's own files are zips too."""
    with Path(path).open("rb") as file:
        return file.read(_NAME_AT + len(_CONTENT))[_NAME_AT:] == _CONTENT.encode()


def write_container(path, content, arrays):
    """Write a file whole or not at all.

    Parameters
    ----------
    path : str or Path
    content : dict
        What JSON can hold, without NaN and infinity.
    arrays : dict of str to ndarray

    Raises
    ------
    OSError
        If ``path`` is a folder, or lies in one that is not there.
    ValueError
        If the content is too long to be read again.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file: {str(path / 'model.blades')!r}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"{path.parent} is no folder, so {path.name} cannot be written there; make it first: "
            f"Path({str(path.parent)!r}).mkdir(parents=True)."
        )
    raw = json.dumps({"format": FORMAT, **content}, allow_nan=False).encode()
    if len(raw) > _MOST_JSON:
        raise ValueError(
            f"{path}: {len(raw) >> 20} MB besides the weights, more than {_MOST_JSON >> 20}. Is "
            "face_locator a long table? Set it to 'whole' or 'haar', and hand the faces over with "
            "the photographs: read_photos(paths, faces=table)."
        )
    path = Path(os.path.realpath(path))  # a link stays, and what it leads to is replaced
    part = path.with_name(f".{uuid.uuid4().hex}.part")  # short: a name may have 255 bytes
    try:
        # Nothing is compressed: weights hardly can be, and no small file can then claim to be big.
        with zipfile.ZipFile(part, "x", zipfile.ZIP_STORED) as file:
            file.writestr(_CONTENT, raw)
            file.writestr(_TENSORS, safetensors.save(arrays))
        if path.exists():
            part.chmod(path.stat().st_mode & 0o7777)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_container(path):
    """Read a file of `write_container`.

    Returns
    -------
    content : dict
    arrays : dict of str to ndarray
        Read-only.

    Raises
    ------
    ValueError
        Naming the file, if it is of a newer format, damaged, or anything else.
    OSError
        If it cannot be opened.
    """
    with Path(path).open("rb") as opened:
        try:
            with zipfile.ZipFile(opened) as file:
                # Of the opened file: another process may have put a new one in its place by now.
                _check_members(file.infolist(), os.fstat(opened.fileno()).st_size)
                content = _read_content(file)
                return content, safetensors.load(file.read(_TENSORS))
        except Exception as error:  # the readers meet arbitrary bytes and raise nearly anything
            raise damaged(path, error) from error


def damaged(path, error):
    """The `ValueError` to raise for a file that cannot be loaded."""
    reason = (str(error) or type(error).__name__).splitlines()[0][:500]
    return ValueError(f"{path} is no model that can be loaded: {reason}")


def _read_content(file):
    info = file.getinfo(_CONTENT)
    if info.file_size > _MOST_JSON:
        raise ValueError(f"{_CONTENT} has {info.file_size} bytes, more than {_MOST_JSON}.")
    raw = file.read(_CONTENT).decode()
    content = json.loads(raw, parse_float=_finite, parse_constant=_finite)
    found = content.get("format") if isinstance(content, dict) else None
    if type(found) is int and found > FORMAT:
        raise ValueError(
            f"its format is {found}, and this sklearn_blades reads {FORMAT}; install a newer one: "
            "pip install -U sklearn-blades"
        )
    if type(found) is not int or found != FORMAT:
        raise ValueError(f"{_CONTENT} names no format.")
    return content


def _finite(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{_CONTENT} holds the number {text}.")
    return value


def _check_members(members, size):
    """Refuse what `write_container` never writes, before any of it is read."""
    names = sorted(member.filename for member in members)
    if names != [_CONTENT, _TENSORS]:
        raise ValueError(f"it holds {', '.join(names)}, not {_CONTENT} and {_TENSORS}.")
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError(f"{member.filename} is compressed.")
        if member.file_size > size:
            raise ValueError(f"{member.filename} claims more bytes than the file has.")
