"""What can go wrong with a photograph, said to the person who has it."""

import os


class PhotoError(ValueError):
    """A photograph that cannot be used.

    Parameters
    ----------
    path : str or os.PathLike
        The file, as the user named it.
    problem : str
        What is wrong and, where there is a remedy, what to type.

    Attributes
    ----------
    path : str
        The file.
    problem : str
        The same sentence without the file's name.
    """

    def __init__(self, path, problem):
        super().__init__(os.fspath(path), problem)  # both in args, so that workers can pickle it
        self.path, self.problem = self.args

    def __str__(self):
        return f"{self.path}: {self.problem}"


class NoFaceError(PhotoError):
    """A readable photograph in which the locator found no face."""


class SmallFaceError(PhotoError):
    """A photograph whose face has too few pixels to say anything about it."""


class AnimatedPhotoError(PhotoError):
    """A file of several frames, where a photograph has one."""


class OversizedPhotoError(PhotoError):
    """An image whose header announces more pixels than we agree to decode."""


class SmallSampleWarning(UserWarning):
    """There are fewer photographs than the request needs; what was done instead is said."""
