"""The cache: bounded, read-only, whole files or none."""

import numpy as np
import pytest

from sklearn_blades._cache import ArrayCache, cache_for, file_identity, key_of


def test_least_recently_used_goes_first():
    cache = ArrayCache(max_bytes=200)
    for key in "ab":
        cache.put(key, np.zeros(80, dtype=np.uint8))
    cache.get("a")
    cache.put("c", np.zeros(80, dtype=np.uint8))
    assert cache.get("b") is None
    assert cache.get("a") is not None
    assert cache.get("c") is not None


def test_what_exceeds_the_bound_is_not_kept():
    cache = ArrayCache(max_bytes=10)
    cache.put("a", np.zeros(11, dtype=np.uint8))
    assert cache.get("a") is None


def test_arrays_are_read_only():
    cache = ArrayCache()
    cache.put("a", np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        cache.get("a")[0] = 1


def test_clear_forgets():
    cache = ArrayCache()
    cache.put("a", np.zeros(3))
    cache.clear()
    assert cache.get("a") is None


def test_folder_outlives_the_process(tmp_path):
    ArrayCache(folder=tmp_path).put("abc", np.arange(3.0))
    np.testing.assert_array_equal(ArrayCache(folder=tmp_path).get("abc"), np.arange(3.0))
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("damage", [b"", b"hello", b"\x93NUMPY"])
def test_a_damaged_file_is_as_good_as_none(tmp_path, damage):
    ArrayCache(folder=tmp_path).put("abc", np.arange(3.0))
    next(tmp_path.rglob("*.npy")).write_bytes(damage)
    assert ArrayCache(folder=tmp_path).get("abc") is None


def test_one_cache_a_folder(tmp_path):
    assert cache_for(tmp_path) is cache_for(str(tmp_path))
    assert cache_for(tmp_path) is not cache_for()


def test_a_changed_file_has_another_identity(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    before = file_identity(path)
    path.write_bytes(b"three")
    assert file_identity(path) != before


def test_keys_tell_types_and_borders_apart():
    keys = {key_of("a", "b"), key_of("ab"), key_of(b"ab"), key_of(1), key_of("1"), key_of(1.0)}
    assert len(keys) == 6
