"""A small file takes little memory and time, whatever it says; what is too much is not saved."""

import json
import os
import tracemalloc

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from sklearn_blades import BladesEncoder, BladesOneClass
from sklearn_blades.persistence import load, save
from sklearn_blades.storage import archive, plain_data
from sklearn_blades.storage.plain_data import to_tree
from tests.persistence.tampering import find, members, refuse, tampered, write

X = np.random.default_rng(0).normal(size=(200, 4))
MB = 10**6


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.blades"
    save(make_pipeline(StandardScaler(), BladesOneClass(random_state=0)).fit(X), path)
    return path


def refuse_with(most, path, message):
    """Refuse a file without taking more than so many bytes at any time."""
    tracemalloc.start()
    try:
        refuse(path, message)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most


def test_one_budget_of_letters_for_all_arrays(file, tmp_path):
    # Each is below the bound of one array, and takes 36 MB of 16 kB.
    array = {"strings": ["a" * 3000, *[""] * 2999]}

    def change(content, tensors):
        find(content, "StandardScaler")["parts"]["with_std"] = [array] * 40

    path = tampered(file, tmp_path, change)
    assert path.stat().st_size < MB
    refuse_with(100 * MB, path, "arrays of strings take more than 10000000 letters")


def test_no_more_letters_are_saved_than_loaded(monkeypatch):
    monkeypatch.setattr(plain_data, "_MOST_LETTERS", 5)
    to_tree([np.array(["ab"]), np.array(["c", "d"])], None)
    with pytest.raises(ValueError, match=r"dtype=object"):
        to_tree([np.array(["ab"]), np.array(["cd", ""])], None)


@pytest.mark.parametrize(
    ("item", "count", "message"),
    [
        ("[]", 1_000_001, "lists and dicts, more than 1000000"),
        ("{}", 1_000_001, "lists and dicts, more than 1000000"),
        ("1", 4_000_001, "values, more than 4000000"),
    ],
)
def test_json_is_counted_before_it_is_parsed(item, count, message, file, tmp_path, monkeypatch):
    raw = f'{{"format": 1, "object": [{",".join([item] * count)}]}}'.encode()
    path = write(tmp_path / "evil.blades", {**members(file), "blades.json": raw}.items())
    monkeypatch.setattr(json, "loads", None)
    refuse(path, message)


def test_no_more_json_is_saved_than_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_MOST_VALUES", 50)
    with pytest.raises(ValueError, match=r"values, more than 50.*read_photos"):
        save(BladesOneClass(random_state=0).fit(X), tmp_path / "model.blades")
    assert not list(tmp_path.iterdir())


def test_a_directory_of_many_members_is_not_read(file, tmp_path):
    files = [*members(file).items(), *((f"{i:099}", b"") for i in range(20_000))]
    path = write(tmp_path / "evil.blades", files)
    refuse_with(MB, path, r"zip file with \d{7} bytes of names")


@pytest.mark.parametrize("end", [b"x" * 30, b"PK\5\6" + bytes(16) + b"\xff\xff"])
def test_what_stands_behind_the_end(end, file, tmp_path):
    path = tmp_path / "evil.blades"
    path.write_bytes(file.read_bytes() + end)
    refuse(path, "zip")


def test_estimators_within_each_other_many_times_over(file, tmp_path):
    """Thirty pipelines, each of the one before and of it again: a billion steps."""

    def change(content, tensors):
        node = find(content, "StandardScaler")
        content["object"]["parts"]["steps"][0]["tuple"][1] = nest(node, 30)

    def nest(node, depth):
        for number in range(1000, 1000 + depth):
            again = {"same": node["number"]}
            steps = [{"tuple": ["a", node]}, {"tuple": ["b", again]}]
            node = {"object": "Pipeline", "number": number, "parts": {"steps": steps}}
        return node

    refuse(tampered(file, tmp_path, change), "use each other more than 1000 times")


@pytest.mark.parametrize("prompts", [["a"] * 20_000, ["a" * 2_000_000]], ids=["many", "long"])
def test_prompts(prompts, tmp_path):
    path = tmp_path / "model.blades"
    save(BladesEncoder(image_size=32, max_epochs=0).fit(["never opened.jpg"]), path, training=True)

    def change(content, tensors):
        find(content, "JointEmbedding")["parts"]["prompts"] = {"tuple": prompts}

    refuse(tampered(path, tmp_path, change), "the towers' prompts cannot be used")


def test_a_device_and_a_pipe_are_not_read(tmp_path):
    if os.name != "posix":
        pytest.skip("Windows has no such files")
    os.mkfifo(tmp_path / "pipe")  # reading one waits for who writes
    for path, what in [(tmp_path / "pipe", "a pipe"), ("/dev/zero", "a device")]:
        with pytest.raises(OSError, match=f"{path} is {what}, and no file"):
            load(path)


def test_a_folder_is_not_read(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder; name the file in it"):
        load(tmp_path)


def test_memory_that_is_not_there_is_said_as_such(file, monkeypatch):
    def full(raw):
        raise MemoryError

    monkeypatch.setattr(archive.safetensors, "load", full)
    with pytest.raises(MemoryError, match=r"model\.blades: there is not enough memory to load"):
        load(file)


def test_an_empty_array_of_any_shape(tmp_path):
    path = tmp_path / "model.blades"
    save(Normalizer().fit(X), path)

    def change(content, tensors):
        content["object"]["parts"]["norm"] = {"array": "huge", "order": "C"}
        tensors["huge"] = np.zeros((10**12, 0), dtype=np.float32)

    refuse(tampered(path, tmp_path, change), "'huge' is empty, of shape")
