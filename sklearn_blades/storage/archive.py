"""One file for a model: JSON beside safetensors in a zip. Reading it runs nothing."""

import json
import math
import os
import struct
import zipfile
from pathlib import Path

from safetensors import numpy as safetensors

from .whole_files import special, whole_file

FORMAT = 1

_CONTENT, _TENSORS = "blades.json", "tensors.safetensors"
_NAME_AT = 30  # bytes of a zip's first header before its first member's name
_MOST_JSON = 1 << 24  # bytes
# Python takes some 60 bytes for a value and 230 for a dict, of which two bytes are enough to ask:
# together they bound what 16 MB of JSON become.
_MOST_VALUES, _MOST_NODES = 4_000_000, 1_000_000

_END = struct.Struct("<4s4H2LH")  # a zip's last record
_END_64 = struct.Struct("<4sQ2H2L4Q"), 20  # before it in files past 2 GB, and a locator's length
_MOST_DIRECTORY = 1024  # bytes of a zip's directory; that of two members is a tenth of it


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
        If ``path`` is a folder or a device, or lies in a folder that is not there.
    ValueError
        If the content is too long to be read again.
    """
    raw = json.dumps({"format": FORMAT, **content}, allow_nan=False).encode()
    if too_long := _too_long(raw):
        raise ValueError(
            f"{path}: besides the weights there are {too_long}. Is face_locator a long table? Set "
            "it to 'whole' or 'haar', and hand the faces over with the photographs: "
            "read_photos(paths, faces=table)."
        )
    # Nothing is compressed: weights hardly can be, and no small file can then claim to be big.
    with whole_file(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as file:
        file.writestr(_CONTENT, raw)
        file.writestr(_TENSORS, safetensors.save(arrays))


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
        If it cannot be opened, or is a folder, a device or a pipe.
    MemoryError
        Naming the file, if there is not enough for it.
    """
    if what := special(path):  # which may have no end, or never begin
        raise OSError(f"{path} is {what}, and no file.")
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path} is a folder; name the file in it.")
    with Path(path).open("rb") as opened:
        # Of the opened file: another process may have put a new one in its place by now.
        size = os.fstat(opened.fileno()).st_size
        try:
            _check_end(opened, size)
            with zipfile.ZipFile(opened) as file:
                _check_members(file.infolist(), size)
                content = _read_content(file)
                return content, safetensors.load(file.read(_TENSORS))
        except Exception as error:  # the readers meet arbitrary bytes and raise nearly anything
            raise damaged(path, error) from error


def damaged(path, error):
    """The error to raise for a file that cannot be loaded: a `ValueError`, unless it is memory."""
    if isinstance(error, MemoryError):
        size = Path(path).stat().st_size / 1e6
        return MemoryError(f"{path}: there is not enough memory to load these {size:.0f} MB.")
    reason = (str(error) or type(error).__name__).splitlines()[0][:500]
    return ValueError(f"{path} is no model that can be loaded: {reason}")


def _read_content(file):
    info = file.getinfo(_CONTENT)
    if info.file_size > _MOST_JSON:
        raise ValueError(f"{_CONTENT} has {info.file_size} bytes, more than {_MOST_JSON}.")
    raw = file.read(_CONTENT)
    if too_long := _too_long(raw):
        raise ValueError(f"{_CONTENT} holds {too_long}.")
    content = json.loads(raw.decode(), parse_float=_finite, parse_constant=_finite)
    found = content.get("format") if isinstance(content, dict) else None
    if type(found) is int and found > FORMAT:
        raise ValueError(
            f"its format is {found}, and this sklearn_blades reads {FORMAT}; install a newer one: "
            "pip install -U sklearn-blades"
        )
    if type(found) is not int or found != FORMAT:
        raise ValueError(f"{_CONTENT} names no format.")
    return content


def _too_long(raw):
    """What there is too much of in a JSON, in words; None for one that can be read.

    Counted in its bytes, before any of it is parsed. Those in strings count too: it is a bound.
    """
    if len(raw) > _MOST_JSON:
        return f"{len(raw) >> 20} MB of JSON, more than {_MOST_JSON >> 20}"
    nodes = raw.count(b"[") + raw.count(b"{")
    if nodes > _MOST_NODES:
        return f"{nodes} lists and dicts, more than {_MOST_NODES}"
    values = nodes + raw.count(b",")
    return f"{values} values, more than {_MOST_VALUES}" if values > _MOST_VALUES else None


def _finite(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{_CONTENT} holds the number {text}.")
    return value


def _check_end(file, size):
    """Refuse a zip whose directory is not that of two members, before zipfile reads it."""
    form, locator = _END_64
    file.seek(max(0, size - _END.size - locator - form.size))
    tail = file.read()
    if len(tail) < _END.size or (end := _END.unpack(tail[-_END.size :]))[0] != b"PK\5\6":
        raise ValueError("it is no zip file, or not a whole one: the end of a zip is missing.")
    lengths, comment = [end[5]], end[7]
    if tail[-_END.size - locator :].startswith(b"PK\6\7"):
        if len(tail) < form.size + locator + _END.size:
            raise ValueError("the end of this zip file contradicts itself.")
        lengths.append(form.unpack(tail[: form.size])[8])
    if comment or max(lengths) > _MOST_DIRECTORY:
        raise ValueError(f"it is a zip file with {max(lengths)} bytes of names in it.")


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
