"""Groups as numbers, and splits by group: nothing dropped, little memory, the wanted share."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.ground.groups import group_codes, holdout, one_of_each
from sklearn_blades.ground.missing import refuse_missing


@pytest.mark.parametrize(
    "groups",
    [
        ["b", "a", "b", "c"],
        ("b", "a", "b", "c"),
        np.array(["b", "a", "b", "c"]),
        np.array([7.0, 2.0, 7.0, 1.0]),
        np.array([[7], [2], [7], [1]]),
        ["b", 1, "b", (2, 3)],
        [True, 0, 1, -1],
    ],
)
def test_groups_become_numbers_in_the_order_they_come(groups):
    codes = group_codes(groups, 4)
    assert codes.dtype == np.int64
    assert_array_equal(codes, [0, 1, 0, 2])
    assert_array_equal(group_codes(codes, 4), codes)


def test_groups_of_data_frames():
    pd = pytest.importorskip("pandas")
    for column in (
        pd.Series(["b", "a", "b", "c"], index=[9, 9, 3, 1]),
        pd.Series(["b", "a", "b", "c"], dtype="category"),
        pd.DataFrame({"person": [7, 2, 7, 1]}),
    ):
        assert_array_equal(group_codes(column, 4), [0, 1, 0, 2])
    with pytest.raises(ValueError, match=r"1 of 4 rows \(rows 1\)"):
        group_codes(pd.Series([7, None, 7, 1], dtype="Int64"), 4)
    with pytest.raises(ValueError, match=r"1 of 2 rows \(rows 0\)"):
        group_codes(pd.Series(pd.to_datetime([None, "2020-01-01"])), 2)


def test_one_long_name_takes_no_more_memory():
    # As an array of strings these would be 100,000 x 20,000 x 4 bytes: 8 GB.
    paths = [f"{row}.jpg" for row in range(100_000)]
    paths[5] = "x" * 20_000
    tracemalloc.start()
    codes = group_codes(paths, len(paths))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_array_equal(codes, np.arange(len(paths)))
    assert peak < 50e6


@pytest.mark.parametrize("gap", [None, np.nan, float("inf"), np.float32("nan")])
def test_a_row_without_a_group_is_refused(gap):
    groups = ["a", gap, "b", gap]
    for call in (
        lambda: group_codes(groups, 4),
        lambda: holdout(4, 0.5, 0, groups=groups),
        lambda: one_of_each(groups, 0),
    ):
        with pytest.raises(ValueError, match=r"None in 2 of 4 rows \(rows 1, 3\): fill them in"):
            call()


def test_columns_that_are_none():
    with pytest.raises(ValueError, match="groups has 3 rows, and X has 4"):
        group_codes([1, 2, 3], 4)
    with pytest.raises(ValueError, match="sources must be one column"):
        group_codes(np.zeros((4, 2)), 4, "sources")
    with pytest.raises(ValueError, match="holds a list, which cannot be compared"):
        group_codes([["a"], ["b"]], 2)
    refuse_missing(np.array(["nan", "None"]), "y")  # words


def held_share(groups, fraction, seed, **settings):
    kept, held = holdout(len(groups), fraction, seed, groups=groups, **settings)
    assert not set(groups[kept]) & set(groups[held])
    assert_array_equal(np.sort(np.r_[kept, held]), np.arange(len(groups)))
    return len(held) / len(groups)


def test_one_huge_group_is_never_the_held_out_part():
    groups = np.r_[np.zeros(900, dtype=int), 1 + np.arange(100)]
    for seed in range(30):
        assert held_share(groups, 0.1, seed) == 0.1


def test_the_share_of_rows_is_near_the_wanted_one():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), rng.integers(1, 40, size=60))
    shares = [held_share(groups, 0.2, seed) for seed in range(50)]
    assert 0.17 < min(shares) < max(shares) < 0.23
    assert len(set(shares)) > 10  # drawn, not chosen


def test_groups_of_one_size_are_drawn_evenly():
    groups = np.repeat(np.arange(20), 3)
    drawn = [groups[holdout(60, 0.25, seed, groups=groups)[1]] for seed in range(200)]
    assert {len(set(held)) for held in drawn} == {5}
    assert np.bincount(np.concatenate(drawn) // 1, minlength=20).min() > 3 * 30


def test_it_says_where_the_share_cannot_be():
    groups = np.repeat([0, 1, 2], [50, 40, 10])
    assert held_share(groups, 0.1, 0) == 0.1
    with pytest.warns(SmallSampleWarning, match="40 of 90 rows are held out, and 9 were wanted"):
        held_share(groups[:90], 0.1, 0)
    with pytest.raises(ValueError, match="single group"):
        holdout(4, 0.5, 0, groups=[1, 1, 1, 1])


def test_as_many_groups_as_are_asked_for():
    groups = np.r_[np.zeros(60, dtype=int), np.repeat(np.arange(1, 31), 2)]
    for n_groups in (1, 6, 12):
        for seed in range(10):
            _, held = holdout(120, n_groups / 31, seed, groups=groups, n_groups=n_groups)
            assert len(set(groups[held])) == n_groups
            assert 0 not in groups[held]
