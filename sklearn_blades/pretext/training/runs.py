"""What a run is, and how it survives: named by what it does, saved whole, resumed where it was.

A run has a folder of its own, named by its fingerprint, so that folds and searches may share one
``checkpoint_dir``. It holds the last checkpoint and the one before, each behind a checksum: a
flipped bit is found, and costs the work of one interval.
"""

import hashlib
import io
from pathlib import Path

import torch

from ...ground.warn import warn
from ...storage.whole_files import whole_file

SAVE_SECONDS = 600
"""An epoch that takes longer than this is saved in the middle too."""

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
_MAGIC = b"sklearn_blades checkpoint 2\n"
_DIGEST = hashlib.sha256().digest_size


class Run:
    """The checkpoints of one run.

    Parameters
    ----------
    folder : str or path
        ``checkpoint_dir``, which many runs may share.
    fingerprint : str
        Of all that the result depends on: photographs, parameters, seed where it was given.
    """

    def __init__(self, folder, fingerprint):
        self.folder = Path(folder, fingerprint[:16])
        self._failed = False

    def save(self, content):
        """Write a checkpoint, whole or not at all; a disk that refuses costs one warning.

        Parameters
        ----------
        content : dict
            What `torch.load` takes with ``weights_only=True``.
        """
        buffer = io.BytesIO()
        torch.save(content, buffer)
        raw = buffer.getvalue()
        last = self.folder / LAST
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with whole_file(last) as file:
                file.write(_MAGIC + hashlib.sha256(raw).digest() + raw)
                file.flush()  # a full disk says so here
                if last.exists():
                    last.replace(self.folder / PREVIOUS)
        except OSError as error:
            if not self._failed:
                warn(
                    f"No checkpoint could be written to {self.folder} ({error.strerror or error}); "
                    "training goes on without.",
                )
            self._failed = True

    def load(self, device="cpu"):
        """The last checkpoint that is whole, or None.

        Warns
        -----
        UserWarning
            For one that is damaged, or is no checkpoint at all.
        """
        for name in (LAST, PREVIOUS):
            path = self.folder / name
            if not path.is_file():
                continue
            try:
                return _read(path, device)
            except Exception as error:  # whatever bytes there are
                older = (self.folder / PREVIOUS).is_file() and name == LAST
                warn(
                    f"{path} is no whole checkpoint ({error}); "
                    + ("the one before is taken." if older else "training starts anew."),
                )
        return None


def _read(path, device):
    raw = path.read_bytes()
    head, digest = raw[: len(_MAGIC)], raw[len(_MAGIC) : len(_MAGIC) + _DIGEST]
    body = raw[len(_MAGIC) + _DIGEST :]
    if head != _MAGIC:
        other = "another version" if head.startswith(_MAGIC[:-2]) else "something else"
        raise ValueError(f"it was written by {other}")
    if hashlib.sha256(body).digest() != digest:
        raise ValueError("its bytes changed since it was written")
    return torch.load(io.BytesIO(body), map_location=device, weights_only=True)
