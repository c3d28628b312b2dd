"""JPEG: segments with a marker and a length, up to the first scan."""

import io

from .splice import MOST, Container, Spliced, bytes_at, size_of

_EXIF, _ICC = b"Exif\x00\x00", b"ICC_PROFILE\x00"
_TIFF = (b"II*\x00", b"MM\x00*")
_SCAN, _COMMENT, _FIRST_APP, _LAST_APP = 0xDA, 0xFE, 0xE0, 0xEF
# What decoders look into to know what the colours mean, and how long it must be for them.
_NEEDED = {0xE0: (b"JFIF\x00", 14), 0xEE: (b"Adobe", 12)}


def take_apart(stream) -> Container:
    """A JPEG as a `Container`; EXIF and profiles may fill several segments."""
    end = size_of(stream)
    parts = [(0, 2)]
    blocks: list[bytes] = []
    profiles: dict[int, tuple[int, bytes]] = {}
    at, marker = _next_marker(stream, 2)
    while marker is not None and marker != _SCAN:
        length = int.from_bytes(bytes_at(stream, at + 2, 2), "big")
        stop = min(end, at + 2 + length)
        data = b""
        if _FIRST_APP <= marker <= _LAST_APP:
            data = bytes_at(stream, at + 4, stop - at - 4)
        if not (_FIRST_APP <= marker <= _LAST_APP or marker == _COMMENT) or _needed(marker, data):
            parts.append((at, stop))
        if marker == 0xE1 and data.startswith(_EXIF):
            _add(blocks, data[len(_EXIF) :])
        elif marker == 0xE2 and data.startswith(_ICC) and len(data) > 14:
            profiles[data[12]] = data[13], data[14:]
        at, marker = _next_marker(stream, max(stop, at + 2))
    parts.append((at, end))
    exif = next((block for block in blocks if block), b"")
    return Container(Spliced(stream, parts), io.BytesIO(exif), _profile(profiles))


def _next_marker(stream, at):
    """Where the next marker stands, and its number, or None at the end of the file."""
    while True:
        stream.seek(at)
        ahead = stream.read(4096)
        if not ahead:
            return at, None
        for place in range(len(ahead) - 1):
            # FF FF is padding, FF 00 belongs to pixels; 01 and D0 to D9 stand alone.
            code = ahead[place + 1]
            if ahead[place] == 0xFF and code not in (0, 1, 0xFF) and not 0xD0 <= code <= 0xD9:
                return at + place, code
        at += max(1, len(ahead) - 1)


def _needed(marker, data):
    name, length = _NEEDED.get(marker, (b"", 0))
    return bool(name) and data.startswith(name) and len(data) >= length


def _add(blocks, data):
    """A segment begins a block of EXIF, or goes on with the one before."""
    if not blocks or data.startswith(_TIFF):
        blocks.append(data)
    elif len(blocks[-1]) < MOST:
        blocks[-1] += data


def _profile(pieces):
    """Pieces {number: (how many there are, bytes)} as one profile; b"" where some are missing."""
    count = len(pieces)
    if sorted(pieces) != list(range(1, count + 1)) or any(n != count for n, _ in pieces.values()):
        return b""
    return b"".join(pieces[number][1] for number in range(1, count + 1))
