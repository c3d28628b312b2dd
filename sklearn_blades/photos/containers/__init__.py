"""How files are built: a stream comes in; what Pillow is to see, EXIF and a profile go out."""

__all__: list[str] = []  # its modules are for the rooms above


def __dir__():
    return __all__
