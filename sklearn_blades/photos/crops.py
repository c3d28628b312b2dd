"""Face crops, each located and decoded once and kept small."""

import uuid
from contextlib import suppress

import numpy as np
from joblib import Parallel, delayed

from ..errors import NoFaceError, PhotoError
from ..ground.jobs import local_jobs
from ..ground.warn import warn
from .crop_keys import CropSettings, photo_key
from .exif_rows import ExifRows
from .faces import Face
from .files import opened
from .records import FaceCrop, exif_of, face_crop

__all__ = ["CropSettings", "Crops", "photo_key"]

_UNASKED = object()  # the key of a photograph that was not looked at yet

_NUMBERS = 12  # of a crop, beside its pixels: box, eyes, mouth, how much it was scaled


class Crops:
    """The crops of a list of photographs, computed on demand through a cache.

    Parameters
    ----------
    photos : list
        What `face_crop` takes.
    settings : CropSettings
    cache : ArrayCache

    Attributes
    ----------
    measured : ndarray of float32, shape (n_photos, 2)
        What `usable` saw of each usable photograph: how much its face was enlarged, and how far
        from square it was, NaN for the others; `~sklearn_blades.photos.doubts.crop_doubts` makes
        words of it.
    exifs : ExifRows
        What `gather` read of each usable photograph.
    """

    def __init__(self, photos, settings, cache, store=None, slots=None):
        self.photos, self.settings, self.cache = photos, settings, cache
        self._store, self._slots = store, slots  # of a fit: where each crop is, -1 for nowhere
        self._keys, self._own = [_UNASKED] * len(photos), uuid.uuid4().hex
        self.measured = np.full((len(photos), 2), np.nan, dtype=np.float32)
        self.exifs = ExifRows(len(photos))

    def __len__(self):
        return len(self.photos)

    def __reduce__(self):
        # Another process has its own cache, and looks at the files anew. The crops of a fit it has
        # in common with this one.
        return Crops, (self.photos, self.settings, self.cache, self._store, self._slots)

    def part(self, rows):
        """The crops of some of the photographs."""
        slots = None if self._slots is None else self._slots[rows]
        photos = [self.photos[row] for row in rows]
        part = Crops(photos, self.settings, self.cache, self._store, slots)
        part._keys = [self._keys[row] for row in rows]
        part.measured, part.exifs = self.measured[rows], self.exifs.take(rows)
        return part

    def key(self, index):
        """The `photo_key` of a photograph, which is looked at once: the crops stay those of then.

        Raises
        ------
        PhotoError
            If the file is not there.
        """
        if self._keys[index] is _UNASKED:
            self._keys[index] = photo_key(self.photos[index], self.settings)
        return self._keys[index]

    def check(self, index):
        """Raise the `PhotoError` of a file that is not there; nothing is kept of one that is."""
        photo_key(self.photos[index], self.settings)

    def __getitem__(self, index):
        """The `FaceCrop` of a photograph; raises `PhotoError` where there is none to be had."""
        kept = self._kept(index)
        if kept is None:
            kept = _packed(face_crop(self.photos[index], **self.settings._asdict()))
            key = self.key(index)
            if key is not None and self._slots is None:
                self.cache.put(key, kept)
            elif key is not None:  # in every epoch all come in turns: those kept first stay
                self.cache.put_if_room(key, kept)
        return _unpacked(kept, self.settings.image_size)

    def _kept(self, index):
        """A crop that need not be cut, as one array, or None."""
        if self._store is not None and self._slots[index] >= 0:
            return self._store.read(self._slots[index])
        key = self.key(index)
        return None if key is None else self.cache.get(key)

    def attempt(self, index):
        """The `FaceCrop` of a photograph, or the `PhotoError` that there is instead."""
        try:
            return self[index]
        except PhotoError as error:
            return error

    def usable(self, *, on_error, n_jobs=None):
        """Cut every face once, and say which photographs have one to give.

        Parameters
        ----------
        on_error : {"raise", "nan"}
            Raise the first `PhotoError` at once (`NoFaceError` when all have been looked at, with
            their number), or leave such photographs out with one warning.

        Returns
        -------
        ndarray of int
            Rows of the usable photographs.
        """
        return self._usable(self.__getitem__, on_error, n_jobs)

    def gather(self, *, on_error, n_jobs=None, tell=None):
        """All that a fit needs of its photographs, each of which is opened once: EXIF and crops.

        The crops go into one file, the `CropStore` of the cache; this object, its parts and its
        pickled copies read them there, in any process.

        Parameters
        ----------
        on_error : {"raise", "nan"}
            As in `usable`.
        tell : callable, optional
            Told how many more photographs are done, by the threads that do them.

        Returns
        -------
        ndarray of int
            Rows of the usable photographs; `exifs` has what their cameras wrote.

        Warns
        -----
        UserWarning
            Where not all crops have room, with the room that they need.
        """
        row_bytes = self.settings.image_size**2 * 3 + 8 * _NUMBERS
        self._slots = np.full(len(self), -1, dtype=np.int64)
        self._store, shortage = self.cache.crop_store(len(self), self._all_keys, row_bytes)
        if shortage:
            warn(shortage)
        rows = self._usable(self._gathered, on_error, n_jobs, tell)
        missing = int(np.sum(self._slots[rows] < 0))
        if missing and not shortage:
            warn(
                f"The crops of {len(rows)} photographs need {len(rows) * row_bytes / 1e6:.0f} MB "
                f"of disk, of which there is no more ({self._store.problem}): {missing} of them "
                "will be decoded again in every epoch. To keep all, name a folder with that room "
                "as memory=, or set TMPDIR to one.",
            )
        return rows

    @property
    def gathered(self):
        """What `gather` found, for the other ranks of a run; it pickles."""
        return self._store, self._slots, self.exifs

    @gathered.setter
    def gathered(self, found):
        self._store, self._slots, self.exifs = found

    def _all_keys(self):
        """Names of all crops; of photographs that are not there none."""
        keys = set()
        for index in range(len(self)):
            with suppress(PhotoError):
                keys.add(self._name(index))
        return keys

    def _name(self, index):
        """The key of a crop; where its locator has no name, one that nobody else uses."""
        return self.key(index) or f"{self._own}, row {index}"

    def _gathered(self, index):
        """Read EXIF and crop of a photograph and keep both."""
        name, photo, new = self._name(index), self.photos[index], False
        kept = self._kept(index)
        if kept is None:
            new = True
            with opened(photo) as file:
                self.exifs[index] = exif_of(file)
                kept = _packed(face_crop(file, **self.settings._asdict()))
        else:
            self.exifs[index] = exif_of(photo)
        slot = None if self._store is None else self._store.put(name, kept)
        if slot is not None:
            self._slots[index] = slot
            self._keys[index] = _UNASKED  # never needed again, and longer than what the store keeps
            if new:
                self.cache.put_on_disk(name, kept)
        elif new:
            self.cache.put_if_room(name, kept)
        return _unpacked(kept, self.settings.image_size)

    def _usable(self, look, on_error, n_jobs, tell=None):
        # Only the errors stay in memory; the crops are in the cache.
        errors = Parallel(n_jobs=local_jobs(n_jobs), require="sharedmem")(
            delayed(self._problem)(look, index, on_error, tell) for index in range(len(self))
        )
        bad = [error for error in errors if error is not None]
        if bad and on_error == "raise":
            raise NoFaceError(
                bad[0].path,
                f"{bad[0].problem} {len(bad)} of {len(self)} photographs are without a face that "
                "was found; on_error='nan' goes on without them.",
            )
        if bad:
            warn(
                f"{len(bad)} of {len(self)} photographs cannot be used and are left out of "
                f"training. First: {bad[0]}",
            )
        return np.flatnonzero([error is None for error in errors])

    def load(self, *, n_jobs=None):
        """All crops, computed in ``n_jobs`` threads.

        Returns
        -------
        list of FaceCrop or PhotoError
            An error is returned, not raised.
        """
        return Parallel(n_jobs=local_jobs(n_jobs), require="sharedmem")(
            delayed(self.attempt)(index) for index in range(len(self))
        )

    def _problem(self, look, index, on_error, tell):
        try:
            crop = look(index)
        except PhotoError as error:
            if on_error == "raise" and not isinstance(error, NoFaceError):
                raise
            return error
        finally:
            if tell is not None:
                tell(1)
        self.measured[index] = crop.enlarged, crop.stretched
        return None


def _packed(crop):
    """A crop as one array, so that the cache has all of it or nothing: pixels, then numbers."""
    face = crop.face
    points = *face.eyes[0], *face.eyes[1], *face.mouth
    row = np.array([*face.box, *points, crop.enlarged, crop.stretched])
    return np.concatenate([crop.pixels.reshape(-1), row.view(np.uint8)])


def _unpacked(array, size):
    end = size * size * 3
    left, top, right, bottom, *points, enlarged, stretched = array[end:].view(float).tolist()
    face = Face(
        (left, top, right, bottom), (tuple(points[:2]), tuple(points[2:4])), tuple(points[4:])
    )
    return FaceCrop(array[:end].reshape(size, size, 3), face, enlarged, stretched)
