"""PNG: chunks with a length and a name. EXIF may stand before the pixels or behind them."""

import io
import re
import zlib

from .splice import MOST, Container, Spliced, bytes_at, size_of

_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_PROFILES = (b"Raw profile type exif\x00", b"Raw profile type APP1\x00")  # ImageMagick's way
_MOST_CHUNKS = 1 << 20


def take_apart(stream) -> Container:
    """A PNG as a `Container`; of an animation the still picture, and the fact."""
    end = size_of(stream)
    parts, at = [(0, 8)], 8
    found: dict = {}
    for _ in range(_MOST_CHUNKS):
        head = bytes_at(stream, at, 8)
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        stop = at + 12 + length
        if len(name) < 4 or not name.isalpha() or name == b"IEND" or stop > end:
            break
        if name in _PIXELS:
            parts.append((at, stop))
        elif name in (b"eXIf", b"iCCP", b"acTL"):
            found.setdefault(name, bytes_at(stream, at + 8, length))
        elif name in _TEXT and bytes_at(stream, at + 8, 22) in _PROFILES:
            found.setdefault(b"text", (name, bytes_at(stream, at + 8, length)))
        at = stop
    parts.append((at, end))  # the end, or what is broken: the decoder says so
    exif = found.get(b"eXIf") or _from_text(*found.get(b"text", (b"", b"")))
    exif = exif.removeprefix(b"Exif\x00\x00")
    facts = {"animated": int.from_bytes(found.get(b"acTL", b"")[:4], "big") > 1}
    profile = _profile(found.get(b"iCCP", b""))
    return Container(Spliced(stream, parts), io.BytesIO(exif), profile, facts)


def _profile(data):
    """A name, a zero, the method of compression (0), and the profile."""
    _, _, rest = data.partition(b"\x00")
    return _inflated(rest[1:]) if rest[:1] == b"\x00" else b""


def _from_text(kind, data):
    """EXIF as hexadecimal digits in a chunk of text; behind a line with its name and its length."""
    _, _, text = data.partition(b"\x00")
    if kind == b"zTXt":
        text = _inflated(text[1:])
    elif kind == b"iTXt":  # whether compressed, how, language, translated keyword
        compressed, text = text[:1] == b"\x01", text[2:].split(b"\x00", 2)[-1]
        text = _inflated(text) if compressed else text
    return raw_profile(text)


def raw_profile(text: bytes) -> bytes:
    """EXIF from ImageMagick's text; b"" where it is none."""
    digits = b"".join(text.split(b"\n")[3:])
    whole = re.fullmatch(rb"(?:[0-9a-fA-F]{2})+", digits)
    return bytes.fromhex(digits.decode()).removeprefix(b"Exif\x00\x00") if whole else b""


def _inflated(data):
    """At most `MOST` bytes; b"" where they are damaged or would be more."""
    try:
        reader = zlib.decompressobj()
        plain = reader.decompress(data, MOST)
        return plain if reader.eof else b""
    except zlib.error:
        return b""
