"""The code of docs/large_sets.md runs as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest

from sklearn_blades import BladesEncoder
from sklearn_blades.errors import SmallSampleWarning

PAGE = Path(__file__).parents[1] / "docs" / "large_sets.md"


@pytest.fixture
def page(photos, tmp_path, monkeypatch):
    """The names that the page takes for granted, after all of its code ran in a folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(Path(photos[0]).read_bytes()[:2000])
    paths = [*photos, "broken.jpg"]
    encoder = BladesEncoder(face_locator="whole", image_size=32, max_epochs=0, random_state=0)
    encoder.fit(photos)
    names = {"encoder": encoder, "paths": paths, "suspects": paths[::-1]}
    names["person"] = np.arange(len(paths)) // 2
    alone, _ = PAGE.read_text(encoding="utf-8").split("## On a cluster")  # tests/app has that part
    code = re.findall(r"```python\n(.*?)```", alone, re.DOTALL)
    with pytest.warns(SmallSampleWarning), pytest.warns(UserWarning, match="1 of 33"):
        exec("\n".join(code), names)
    return names


def test_the_page_runs(page, photos):
    assert page["features"].dtype == np.float32
    assert np.flatnonzero(~page["usable"]).tolist() == [len(photos)]
    assert np.flatnonzero(~np.isin(range(len(photos) + 1), page["readable"])).tolist() == [0]
    people = [set(page["person"][page[side]]) for side in ("train", "held")]
    assert people[0].isdisjoint(people[1])
    assert len(page["head"].calibration_scores_) == len(people[1])
    assert len(page["p_values"]) == len(photos)
    assert page["flagged"].size == 0  # three people promise nothing
    on_disk = np.load("suspects.npy")
    assert np.array_equal(on_disk[1:], page["features"][::-1][1:])
