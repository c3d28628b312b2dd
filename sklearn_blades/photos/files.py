"""The one place that opens an image file: its header first, its pixels only when asked."""

import io
import os
import stat
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import (  # importing a plugin registers it
    AvifImagePlugin,  # noqa: F401
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    JpegImagePlugin,
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,
    WebPImagePlugin,  # noqa: F401
)

from ..errors import AnimatedPhotoError, OversizedPhotoError, PhotoError
from .containers import boxes, jpeg, png, tiff_file
from .containers.splice import Container
from .containers.tiff import Tiff

MAX_PIXELS = 210_000_000  # the largest phone pictures have 201 million; as RGB that is 0.6 GB
FORMATS = ("PNG", "TIFF", "WEBP", "AVIF", "GIF", "BMP")  # and JPEG, and HEIC with its extra
ANIMATED = {"PNG", "WEBP", "AVIF", "GIF"}  # the formats in which frames are an animation
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
# Raw files that do not even begin as TIFF: Panasonic, Olympus, Fujifilm, Minolta, Sigma, Canon.
_RAW_PREFIXES: tuple[bytes, ...] = (b"IIU\x00", b"IIRO", b"IIRS", b"MMOR", b"FUJIFILMCCD")
_RAW_PREFIXES += (b"\x00MRM", b"FOVb", b"II\x1a\x00\x00\x00HEAP")
_TAKE_APART = {
    "JPEG": jpeg.take_apart,
    "PNG": png.take_apart,
    "TIFF": tiff_file.take_apart,
    "AVIF": boxes.take_apart,
    "HEIF": boxes.take_apart,
}
_SPECIAL = {
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class _Tiff(TiffImagePlugin.TiffImageFile):
    """Pillow warns of 90 megapixels, here and nowhere else; `MAX_PIXELS` is our bound."""

    def load_prepare(self):
        if self._im is None:
            self.im = Image.core.new(self.mode, self._tile_size)
        super().load_prepare()


@dataclass(frozen=True)
class Missing:
    """A row without a photograph: an empty cell of a table.

    Parameters
    ----------
    row : int
    value : object
        What stands there instead of a path.
    """

    row: int
    value: Any

    def error(self) -> PhotoError:
        """What is wrong with it, as any photograph that cannot be used."""
        return PhotoError(f"row {self.row}", f"has no path ({self.value!r}).")


class OpenFile(os.PathLike):
    """A file that stays open, so that header, tags and pixels are read of one and the same file.

    Made by `opened`, for one thread at a time.

    Parameters
    ----------
    path : str
        By which messages name it.
    stream : binary file object

    Attributes
    ----------
    image : PIL image or None
        As `open_header` yields it, which is asked several times and takes the header apart once.
        Whoever decodes its pixels takes it away: it can be decoded at one scale only.
    """

    def __init__(self, path, stream):
        self.path, self.stream = path, stream
        self.image: Image.Image | None = None

    def __fspath__(self):
        return self.path

    def __str__(self):
        return self.path


@contextmanager
def opened(source):
    """Open a file once for all that is asked of it inside the ``with`` block.

    Parameters
    ----------
    source : str, os.PathLike, bytes or PIL image

    Yields
    ------
    OpenFile
        Which `open_header`, and whatever is built on it, takes for the path. What is no path, and
        a file that is open already, are yielded as they are.

    Raises
    ------
    PhotoError
        Where there is no such file.
    """
    if isinstance(source, str | os.PathLike) and not isinstance(source, OpenFile):
        with _stream(source) as stream:
            yield OpenFile(os.fspath(source), stream)
    else:
        yield source


@contextmanager
def open_header(source):
    """Open an image without decoding its pixels.

    ``PIL.Image.open`` is not used: it warns about 90-megapixel cameras, it warns about corrupt
    metadata or refuses the picture for them, and silencing warnings is not thread-safe.

    Parameters
    ----------
    source : str, os.PathLike, bytes or PIL image
        A file, a file's content, or an image that is open already.

    Yields
    ------
    PIL.ImageFile.ImageFile
        As stored, not turned upright. That of a file has ``exif_stream``, a TIFF structure with
        its tags, and ``turn``, the orientation that is left to apply; the file is closed on
        leaving. Whatever goes wrong inside the ``with`` block becomes a `PhotoError` that names
        the file.

    Raises
    ------
    PhotoError
        Where there is no such file, or it is no image of the known formats.
    OversizedPhotoError
        Where the header announces more than `MAX_PIXELS`.
    """
    name = name_of(source)
    try:
        with ExitStack() as stack:
            if isinstance(source, Image.Image):
                image = source
            elif isinstance(source, OpenFile) and source.image is not None:
                image = source.image
            else:
                image = _identify(stack.enter_context(_stream(source)), name)
                if isinstance(source, OpenFile):
                    source.image = image
            if image.width * image.height > MAX_PIXELS:
                raise OversizedPhotoError(
                    name,
                    f"announces {image.width} x {image.height} pixels, more than the "
                    f"{MAX_PIXELS // 1_000_000} million that are decoded; save a smaller copy.",
                )
            yield image
    except PhotoError:
        raise
    except Exception as error:  # Pillow's readers meet hostile bytes and raise nearly anything
        raise PhotoError(name, f"cannot be decoded: {error or type(error).__name__}.") from error


def check_still(source, image):
    """Refuse an animation: which of its frames is meant, nobody has said.

    TIFF and HEIC files may hold a preview or a second picture beside the photograph, and pass.

    Parameters
    ----------
    source : str, os.PathLike, bytes or PIL image
        What the error names.
    image : PIL image
        As `open_header` yields it.

    Raises
    ------
    AnimatedPhotoError
    """
    moves = getattr(image, "is_animated", False) or image.info.get("animated")
    if moves and image.format in ANIMATED:
        raise AnimatedPhotoError(
            name_of(source),
            f"is an animated {image.format}; a photograph has one frame. Save the one you mean, "
            "for example PIL.Image.open(path).convert('RGB').save('frame.png').",
        )


def name_of(source):
    """What an error message calls ``source``."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    return getattr(source, "filename", None) or f"<{type(source).__name__}>"


def _stream(source):
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if isinstance(source, OpenFile):
        source.stream.seek(0)
        return nullcontext(source.stream)  # whoever opened it closes it
    if isinstance(source, Missing):
        raise source.error()
    name, path = os.fspath(source), Path(source)
    try:
        status = path.stat()
        if kind := _SPECIAL.get(stat.S_IFMT(status.st_mode)):  # reading one may never end
            raise PhotoError(name, f"is {kind}, not a file; copy what it gives into a file.")
        if status.st_size == 0 and not stat.S_ISDIR(status.st_mode):
            raise PhotoError(name, "is empty (0 bytes).")
        return path.open("rb")
    except PhotoError:
        raise
    except FileNotFoundError:
        raise PhotoError(name, "there is no such file.") from None
    except IsADirectoryError:
        raise PhotoError(
            name, "is a directory; list its files, for example sorted(Path(...).glob('*.jpg'))."
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        raise PhotoError(name, f"cannot be opened ({error}).") from error


def _identify(stream, name):
    """The first reader that accepts the stream's beginning, opened on it."""
    prefix = stream.read(16)
    if prefix.startswith(_RAW_PREFIXES) or prefix[4:12] == b"ftypcrx ":
        raise PhotoError(name, tiff_file.raw_problem())
    problem = "is not a JPEG, TIFF, PNG, WebP, AVIF, HEIC, GIF or BMP image."
    for form, reader in _readers(prefix, name):
        try:
            return _opened(stream, form, reader)
        except tiff_file.RawFile as error:
            problem = str(error)
        except Exception as error:
            problem = f"begins like an image, but its header is damaged ({error})."
    raise PhotoError(name, problem)


def _opened(stream, form, reader):
    """An image with its tags, its orientation, its colour profile and what its pixels mean."""
    container = _TAKE_APART[form](stream) if form in _TAKE_APART else Container(stream)
    container.view.seek(0)
    image = reader(container.view)
    seen = io.BytesIO(bytes(image.info.get("exif") or b"").removeprefix(b"Exif\x00\x00"))
    image.exif_stream = container.exif or seen
    # Pillow makes an orientation of an AVIF's own boxes, and the reader of HEIC turns the pixels:
    # in both files that of the tags does not count.
    image.turn = exif_orientation(seen if form in ("AVIF", "HEIF") else image.exif_stream)
    if isinstance(image.exif_stream, io.BytesIO) and form != "TIFF":
        image.info["exif"] = image.exif_stream.getvalue()
    if container.profile:
        image.info["icc_profile"] = container.profile
    image.info.update(container.facts)
    return image


def exif_orientation(stream):
    """The orientation that the tags in a TIFF structure say, 1 to 8; 1 where they say none."""
    tiff = Tiff(stream)
    entries, _ = tiff.directory(tiff.first)
    value = tiff.value(entries.get(0x0112))
    return value if value in range(1, 9) else 1


def _readers(prefix, name):
    if prefix.startswith(b"\xff\xd8"):
        yield "JPEG", JpegImagePlugin.JpegImageFile
    for form in FORMATS:
        reader, accept = Image.OPEN[form]
        if accept(prefix) is True:  # a string says that Pillow was built without the codec
            yield form, _Tiff if form == "TIFF" else reader
    if prefix[4:8] == b"ftyp" and prefix[8:12] in _HEIC_BRANDS:
        yield "HEIF", _heif_reader(name)


def _heif_reader(name):
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise PhotoError(
            name, 'is a HEIC photograph; to read it: pip install "sklearn-blades[heic]".'
        ) from None
    return HeifImageFile
