"""A file that is something else is called by its name, with what to type; nothing of it is run."""

import gzip
import pickle
import zipfile

import joblib
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from sklearn_blades import BladesOneClass
from sklearn_blades.persistence import save
from tests.persistence.tampering import refuse

X = np.random.default_rng(0).normal(size=(100, 3))


class Trap:
    """Fails the test that unpickles it."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was run",)


def with_pickle(path):
    path.write_bytes(pickle.dumps(Trap()))


def with_keras(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", "{}")
        file.writestr("config.json", "{}")


def with_text(text):
    return lambda path: path.write_text(text)


OTHERS = {
    "joblib": (lambda path: joblib.dump(Trap(), path), "is a pickle, as joblib.dump"),
    "compressed joblib": (
        lambda path: joblib.dump({"a": X}, path, compress=3), "a compressed file, as joblib"),
    "pickle": (with_pickle, r"is a pickle.*joblib\.load\(.*if you trust where it comes from"),
    "old pickle": (lambda path: path.write_bytes(pickle.dumps(X, protocol=2)), "is a pickle"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(b"x")), "a compressed file"),
    "torch": (lambda path: torch.save({"a": torch.ones(2)}, path), r"torch\.save.*pretrained="),
    "torch of old": (
        lambda path: torch.save(
            {"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False),
        r"torch\.save.*pretrained="),
    "safetensors": (lambda path: save_file({"a": X}, path), r"weights of safetensors.*pretrained="),
    "array": (lambda path: np.save(path.open("wb"), X), r"numpy\.load"),
    "arrays": (lambda path: np.savez(path.open("wb"), a=X), r"numpy\.savez.*numpy\.load"),
    "keras": (with_keras, r"a model of Keras.*keras\.saving"),
    "lfs": (with_text("version https://git-lfs.github.com/spec/v1\noid"), "git lfs pull"),
    "page": (with_text("<!DOCTYPE html><html>"), "is a web page"),
    "empty": (with_text(""), "it is empty: was the disk full"),
    "picture": (
        lambda path: Image.new("RGB", (8, 8)).save(path, "JPEG"), r"JPEG picture.*predict\(\["),
    "words": (with_text("hello"), "no zip file, or not a whole one"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("name", ["detector.joblib", "model.pt", "model.blades"])
@pytest.mark.parametrize(("write", "message"), OTHERS.values(), ids=OTHERS)
def test_by_bytes_and_not_by_name(write, message, name, tmp_path):
    write(tmp_path / name)
    refuse(tmp_path / name, message)


def test_a_model_that_was_cut_is_still_called_a_model(tmp_path):
    path = tmp_path / "model.blades"
    save(BladesOneClass(random_state=0).fit(X), path)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    refuse(path, "not a whole one: the end of a zip is missing")


def test_only_a_little_of_a_large_file_is_read(tmp_path):
    path = tmp_path / "model.blades"
    torch.save({"a": torch.zeros(3_000_000)}, path)
    with path.open("r+b") as file:
        file.truncate(5_000_000)  # its names are gone with its end, but for the first
    refuse(path, "torch")
