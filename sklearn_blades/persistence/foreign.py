"""What a file is that is no model of ours, by its first bytes, and what reads it."""

from pathlib import Path

from safetensors import safe_open

from ..portable.sealed import is_exported

_JOBLIB = "joblib.load({0!r}), if you trust where it comes from: that runs what is in it"
_WEIGHTS = "BladesEncoder(pretrained={0!r}) starts from it, if it holds a tower's weights"
_PICTURE = "it is what a detector is asked about: detector.predict([{0!r}])"

# First bytes, what that is, what to type. Of a pickle the second byte is its protocol.
_BEGINNINGS = [
    *((b"\x80" + bytes([n]), "a pickle, as joblib.dump and pickle.dump write it", _JOBLIB)
      for n in range(2, 6)),
    *((start, "a compressed file, as joblib.dump(compress=...) writes it", _JOBLIB)
      for start in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b", b"BZh",
                    b"\xfd7zXZ", b"\x5d\0\0", b"\x04\x22\x4d\x18", b"ZF")),
    (b"\x93NUMPY", "an array of numpy.save", "numpy.load({0!r})"),
    (b"\x89HDF\r\n", "an HDF5 file, as Keras writes it", "the library that wrote it"),
    (b"version https://git-lfs", "a pointer of Git LFS, and not what it points at", "git lfs pull"),
    (b"<!DOCTYPE", "a web page", "look at the page that it was downloaded from"),
    (b"<!doctype", "a web page", "look at the page that it was downloaded from"),
    (b"<html", "a web page", "look at the page that it was downloaded from"),
    (b"\xff\xd8\xff", "a JPEG picture", _PICTURE),
    (b"\x89PNG", "a PNG picture", _PICTURE),
]  # fmt: skip

# The same for zips, by a name in them.
_MEMBERS = [
    (b"/data.pkl", "a file of torch.save", _WEIGHTS),
    (b".npy", "arrays of numpy.savez", "numpy.load({0!r})"),
    (b"schema.json", "a file of skops", "skops.io.load({0!r})"),
    (b"config.json", "a model of Keras", "keras.saving.load_model({0!r})"),
]
_TORCH_OF_OLD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # its magic number, a pickle


def what_else(path):
    """What a file is that is none of `save`, and what to type; None where that is not known.

    Parameters
    ----------
    path : str or Path
        Only its first and last bytes are read: nothing of it is run.
    """
    path = Path(path)
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        return "it is empty: was the disk full, or the download cut short?"
    if head.startswith(_TORCH_OF_OLD):
        return _say("a file of torch.save", _WEIGHTS, path)
    if is_exported(path):
        return _say("an ONNX file of export_onnx", "sklearn_blades.OnnxDetector({0!r})", path)
    for start, what, remedy in _BEGINNINGS:
        if head.startswith(start):
            return _say(what, remedy, path)
    if head.startswith(b"PK\3\4"):
        return _zip(path)
    return _say("weights of safetensors", _WEIGHTS, path) if _is_safetensors(path) else None


def _say(what, remedy, path):
    return f"it is {what}. To read it: {remedy.format(str(path))}."


def _zip(path, size=1 << 16):
    """A zip by the names in its first header and at its end; its directory may be of any size."""
    with path.open("rb") as file:
        names = file.read(1 << 10)
        file.seek(max(0, path.stat().st_size - size))
        names += file.read()
    for ending, what, remedy in _MEMBERS:
        if ending in names:
            return _say(what, remedy, path)
    return None


def _is_safetensors(path):
    try:
        with safe_open(path, "numpy"):
            return True
    except Exception:  # the reader meets arbitrary bytes
        return False
