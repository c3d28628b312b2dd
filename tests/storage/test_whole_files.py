"""A file is there whole or not at all, and what killed writers leave is swept by the next."""

import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from sklearn_blades.storage import whole_files
from sklearn_blades.storage.whole_files import remove_abandoned, whole_file

# Writes half a file, says so, and waits to be killed.
WRITER = """
import sys, time
from sklearn_blades.storage.whole_files import whole_file
with whole_file(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(600)
"""

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no such files or locks")


@pytest.fixture
def writer(tmp_path):
    """Another process in the middle of a file."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "model")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"writing\n"
        yield process
        process.kill()


def write(path, raw):
    with whole_file(path) as file:
        file.write(raw)


def parts(folder):
    return list(folder.glob(".*.part"))


def age(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)


@posix
def test_the_part_of_a_killed_writer_is_deleted_and_that_of_a_living_one_is_not(writer, tmp_path):
    write(tmp_path / "other", b"whole")
    (part,) = parts(tmp_path)
    age(part, 1e6)  # a slow writer is still a writer
    remove_abandoned(tmp_path)
    assert parts(tmp_path) == [part]
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert parts(tmp_path) == [part]
    write(tmp_path / "other", b"whole again")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    assert (tmp_path / "other").read_bytes() == b"whole again"


def test_only_names_of_ours_are_deleted(tmp_path):
    names = ["film.part", ".x.part", f".{'0' * 32}.partial", f"{'0' * 32}.part"]
    for name in names:
        (tmp_path / name).touch()
    write(tmp_path / "model", b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "model"])


def test_without_locks_age_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_files, "fcntl", None)
    old, new = (tmp_path / f".{digit * 32}.part" for digit in "01")
    old.touch()
    new.touch()
    age(old, 7200)
    write(tmp_path / "model", b"whole")
    assert sorted(tmp_path.iterdir()) == [new, tmp_path / "model"]
    assert (tmp_path / "model").read_bytes() == b"whole"


@posix
def test_a_file_system_that_locks_nothing(tmp_path, monkeypatch):
    def refuse(file, how):
        raise OSError(whole_files.errno.ENOLCK, "no locks available")

    monkeypatch.setattr(whole_files.fcntl, "flock", refuse)
    (tmp_path / f".{'0' * 32}.part").touch()
    write(tmp_path / "model", b"whole")
    assert len(list(tmp_path.iterdir())) == 2  # too young to be given up


def test_the_bytes_are_on_the_disk_before_the_name(tmp_path, monkeypatch):
    seen, sync = [], os.fsync

    def spy(number):
        seen.append((stat.S_ISDIR(os.fstat(number).st_mode), (tmp_path / "model").exists()))
        sync(number)

    monkeypatch.setattr(os, "fsync", spy)
    write(tmp_path / "model", b"whole")
    assert seen[0] == (False, False)
    assert seen[1:] == [(True, True)] * (os.name == "posix")


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    write(tmp_path / "model", b"old")
    with pytest.raises(TypeError):
        write(tmp_path / "model", "no bytes")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model").read_bytes() == b"old"


@posix
def test_what_is_no_file_is_refused_by_name(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "astray").symlink_to(tmp_path / "nowhere" / "model")
    for name, error, message in [
        ("pipe", OSError, "pipe is a pipe and would be replaced; name a file"),
        ("link", OSError, "link is a pipe"),
        ("astray", FileNotFoundError, "nowhere is no folder.*mkdir"),
        (".", IsADirectoryError, "is a folder; name a file"),
        ("/dev/null", OSError, "/dev/null is a device"),
    ]:
        with pytest.raises(error, match=message):
            write(tmp_path / name, b"")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)  # noqa: PTH116
    assert not parts(tmp_path)
