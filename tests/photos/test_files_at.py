"""Names, folders and patterns become files, each once, in the order in which they were named."""

import pytest

from sklearn_blades.photos.folders import files_at


@pytest.fixture
def root(tmp_path):
    for name in ("b/2.jpg", "b/1.png", "a.jpg", "notes.txt", "[odd].jpg", "b/c/3.JPG"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_folders_patterns_and_names(root):
    def named(*names):
        return [path.removeprefix(f"{root}/") for path in files_at(f"{root}/{n}" for n in names)]

    assert named("b") == ["b/1.png", "b/2.jpg", "b/c/3.JPG"]
    assert named("b/2.jpg", "b", "a.jpg") == ["b/2.jpg", "b/1.png", "b/c/3.JPG", "a.jpg"]
    assert named("*.jpg") == ["[odd].jpg", "a.jpg"]
    assert named("**/*.JPG") == ["b/c/3.JPG"]
    assert named("[odd].jpg") == ["[odd].jpg"]  # a file before a pattern
    assert named("notes.txt", "gone.png") == ["notes.txt", "gone.png"]
    assert files_at(root / "a.jpg") == [str(root / "a.jpg")]


def test_what_is_not_there(root):
    with pytest.raises(FileNotFoundError, match="gone: there is no such file or folder"):
        files_at(root / "gone")
    with pytest.raises(ValueError, match="no file matches this pattern"):
        files_at(str(root / "x*.jpg"))
    with pytest.raises(TypeError, match="a path or a pattern is needed, not int"):
        files_at([3])
