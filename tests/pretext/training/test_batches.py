"""Batches: every photograph once an epoch; who should meet, meets; labels are capped, not faces."""

import numpy as np
import pytest

from sklearn_blades.pretext.training.batches import PhotoBatches


def dealt(known, *, size=12, exif_fraction=0.25, n_epochs=1, skip=0):
    """Lists of (index, labelled), a list a batch, and the known tags as a matrix."""
    known = np.asarray(known)
    known = known if known.ndim == 2 else known[:, None]
    batches = PhotoBatches(known, size, exif_fraction=exif_fraction, seed=0)
    batches.skip = skip
    epochs = [list(batches) for _ in range(n_epochs)]
    assert all(len(epoch) == len(batches) - skip for epoch in epochs)
    return known, [[key[1:] for key in batch] for epoch in epochs for batch in epoch]


def labelled(known, batch):
    return sum(counts for index, counts in batch if known[index].any())


@pytest.mark.parametrize("size", [1, 2, 12, 50])
@pytest.mark.parametrize(
    ("n_with", "n_without"), [(0, 7), (1, 9999), (10, 90), (50, 50), (90, 10), (3, 200), (30, 0)]
)
def test_every_photograph_comes_once_an_epoch(n_with, n_without, size):
    n = n_with + n_without
    _, batches = dealt(np.arange(n) < n_with, size=size)
    assert sorted(index for batch in batches for index, _ in batch) == list(range(n))
    assert max(map(len, batches)) <= size
    assert len(batches) == -(-n // size)


def test_one_photograph_without_exif_costs_no_other():
    # It shrank an epoch of 10,000 to 2 photographs, in silence.
    known, batches = dealt(np.arange(10_000) < 9_999, size=24)
    assert sum(labelled(known, batch) for batch in batches) == 9_999


@pytest.mark.parametrize(("n_with", "n_without"), [(10, 90), (50, 50), (40, 60), (3, 200)])
def test_where_few_have_exif_their_labels_are_capped(n_with, n_without):
    known, batches = dealt(np.arange(n_with + n_without) < n_with)
    assert max(labelled(known, batch) for batch in batches) <= 3  # a quarter of 12


def test_whose_labels_count_differs_between_epochs():
    _, batches = dealt(np.arange(100) < 50, n_epochs=12)
    counted = [index for batch in batches for index, counts in batch if counts and index < 50]
    assert set(counted) == set(range(50))
    assert len(counted) == 12 * 9 * 3  # batches of 12 with labels of a quarter


@pytest.mark.parametrize("n_with", [2, 5, 12, 20])
def test_few_with_exif_meet(n_with):
    known, batches = dealt(np.arange(1000) < n_with, size=24)
    meeting = [labelled(known, batch) for batch in batches if labelled(known, batch)]
    assert sum(meeting) == n_with
    assert min(meeting) >= 2


def test_few_who_know_a_tag_that_most_lack_meet():
    known = np.ones((600, 2), dtype=bool)
    known[8:, 1] = False
    _, batches = dealt(known, size=24)
    together = [sum(index < 8 for index, _ in batch) for batch in batches]
    assert max(together) == 8
    assert all(counts for batch in batches for _, counts in batch)  # and nothing is capped


def test_kinds_of_scarce_tags_are_kept_together():
    known = np.zeros((400, 2), dtype=bool)
    known[:4, 0] = known[4:8, 1] = True
    _, batches = dealt(known, size=16, exif_fraction=0.25)
    kinds = [[index // 4 for index, _ in batch if index < 8] for batch in batches]
    assert sorted(kind for kind in kinds if kind) == [[0] * 4, [1] * 4]


def test_full_fraction_counts_all_labels():
    _, batches = dealt(np.arange(60) < 30, exif_fraction=1.0)
    assert all(counts for batch in batches for _, counts in batch)


def test_order_follows_seed_and_epoch():
    _, first = dealt(np.arange(60) < 30, n_epochs=2)
    _, again = dealt(np.arange(60) < 30, n_epochs=2)
    assert first == again
    assert first[0] != first[len(first) // 2]


def test_an_epoch_can_begin_in_its_middle():
    _, whole = dealt(np.arange(60) < 30)
    _, rest = dealt(np.arange(60) < 30, skip=2)
    assert rest == whole[2:]


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_ranks_see_together_what_one_process_sees(n_ranks):
    known = np.random.default_rng(0).random((50, 2)) < 0.3
    how = {"exif_fraction": 0.25, "seed": 0}
    whole = PhotoBatches(known, 8, **how)
    parts = [PhotoBatches(known, 8, **how, share=slice(r, None, n_ranks)) for r in range(n_ranks)]
    for _ in range(2):
        for batch, *shares in zip(whole, *parts, strict=True):
            assert sorted(key for share in shares for key in share) == sorted(batch)
            assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_batch_with_fewer_photographs_than_ranks_is_refused():
    how = {"size": 3, "exif_fraction": 1.0, "seed": 0, "share": slice(0, None, 3)}
    PhotoBatches(np.ones((9, 1), dtype=bool), **how)
    with pytest.raises(ValueError, match="A batch of 2 photographs cannot be dealt to 3 ranks"):
        PhotoBatches(np.ones((10, 1), dtype=bool), **how)
