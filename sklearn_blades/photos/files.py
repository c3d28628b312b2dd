"""The one place that opens an image file: its header first, its pixels only when asked."""

import io
import os
from contextlib import ExitStack, contextmanager
from pathlib import Path

from PIL import (  # importing a plugin registers it
    AvifImagePlugin,  # noqa: F401
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    JpegImagePlugin,
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)

from ..errors import AnimatedPhotoError, OversizedPhotoError, PhotoError

MAX_PIXELS = 210_000_000  # the largest phone pictures have 201 million; as RGB that is 0.6 GB
FORMATS = ("PNG", "TIFF", "WEBP", "AVIF", "GIF", "BMP")  # and JPEG, and HEIC with its extra
ANIMATED = {"PNG", "WEBP", "AVIF", "GIF"}  # the formats in which frames are an animation
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


class _Jpeg(JpegImagePlugin.JpegImageFile):
    """Pillow searches the EXIF block for a resolution, and warns where it is corrupt: not here."""

    def _read_dpi_from_exif(self):
        pass


@contextmanager
def open_header(source):
    """Open an image without decoding its pixels.

    ``PIL.Image.open`` is not used: it warns about 90-megapixel cameras, it warns about corrupt
    EXIF, and silencing warnings is not thread-safe.

    Parameters
    ----------
    source : str, os.PathLike, bytes or PIL image
        A file, a file's content, or an image that is open already.

    Yields
    ------
    PIL.ImageFile.ImageFile
        A file is closed on leaving. Whatever goes wrong inside the ``with`` block becomes a
        `PhotoError` that names the file.

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
            else:
                image = _identify(stack.enter_context(_stream(source)), name)
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
    if image.format in ANIMATED and getattr(image, "is_animated", False):
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
    name, path = os.fspath(source), Path(source)
    try:
        if path.stat().st_size == 0:
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
    problem = "is not a JPEG, TIFF, PNG, WebP, AVIF, HEIC, GIF or BMP image."
    for reader in _readers(prefix, name):
        stream.seek(0)
        try:
            return reader(stream)
        except Exception as error:
            problem = f"begins like an image, but its header is damaged ({error})."
    raise PhotoError(name, problem)


def _readers(prefix, name):
    if prefix.startswith(b"\xff\xd8"):
        yield _Jpeg
    for form in FORMATS:
        reader, accept = Image.OPEN[form]
        if accept(prefix) is True:  # a string says that Pillow was built without the codec
            yield reader
    if prefix[4:8] == b"ftyp" and prefix[8:12] in _HEIC_BRANDS:
        yield _heif_reader(name)


def _heif_reader(name):
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise PhotoError(
            name, 'is a HEIC photograph; to read it: pip install "sklearn-blades[heic]".'
        ) from None
    return HeifImageFile
