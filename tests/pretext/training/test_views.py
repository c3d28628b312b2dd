"""Views: paired, reproducible whatever the workers; batches dealt as promised."""

import numpy as np
import pytest
import torch

from sklearn_blades.photos import read_photos
from sklearn_blades.photos.crops import Crops, CropSettings
from sklearn_blades.photos.degradations import degraded
from sklearn_blades.pretext import Manipulated, OrdinalTag, TaskSet
from sklearn_blades.pretext.training import views
from sklearn_blades.pretext.training.views import PhotoBatches, ViewDataset, view_loader
from sklearn_blades.storage.cache import ArrayCache

TASKS = TaskSet([OrdinalTag("ISOSpeedRatings"), Manipulated()])


@pytest.fixture(scope="module")
def crops(photos):
    return Crops(photos[:8], CropSettings("whole", 1.6, 48), ArrayCache())


@pytest.fixture(scope="module")
def exifs(photos):
    return [record.exif for record in read_photos(photos[:8])]


def dataset(crops, exifs, *, paired=True, seed=0):
    return ViewDataset(crops, exifs, TASKS, paired=paired, seed=seed)


def epochs(data, n_workers, n=2):
    loader = view_loader(data, batch_size=8, n_workers=n_workers)
    return [batch for _ in range(n) for batch in loader]


def test_each_photo_comes_untouched_and_manipulated(crops, exifs):
    pixels, targets = epochs(dataset(crops, exifs), 0)[0]
    assert pixels.shape == (8, 48, 48, 3)
    assert pixels.dtype == torch.uint8
    assert targets["manipulated"].tolist() == [0, 1] * 4
    iso = targets["ISOSpeedRatings"].reshape(4, 2)
    assert torch.equal(iso[:, 0], iso[:, 1])  # two views of one photograph
    assert iso.dtype == torch.float32
    assert not torch.equal(pixels[0], pixels[1])


def test_nothing_but_the_manipulation_sets_a_pair_apart(crops, exifs):
    data = dataset(crops, exifs)
    pairs = [[view for view, _ in data[epoch, 0]] for epoch in range(12)]
    differs = np.array([(one != other).any(axis=2) for one, other in pairs])
    assert differs.any(axis=(1, 2)).all()
    # Flips stay inside their region; a view of its own map would differ up to the rim.
    assert (~differs[:, [0, -1]].any(axis=(1, 2))).sum() >= 6


def test_augmented_views_of_a_pair_are_degraded_alike(crops, exifs, monkeypatch):
    plain = dataset(crops, exifs)
    augmented = ViewDataset(crops, exifs, TASKS, paired=True, seed=0, augment=True)
    drawn = []

    def recorded(pixels, rng):
        drawn.append(rng.bit_generator.state["state"]["state"])
        return degraded(pixels, rng)

    monkeypatch.setattr(views, "degraded", recorded)
    changed = []
    for index in range(len(crops)):
        pairs = zip(plain[0, index], augmented[0, index], strict=True)
        for (before, target), (after, same_target) in pairs:
            assert after.shape == before.shape
            assert after.dtype == np.uint8
            assert repr(target) == repr(same_target)
            changed.append((before != after).any())
    assert drawn[::2] == drawn[1::2]
    assert len(set(drawn)) == len(crops)
    assert changed[::2] == changed[1::2]
    assert 0.4 < np.mean(changed) < 1


def test_unpaired_views_are_untouched_half_of_the_time(crops, exifs):
    data = dataset(crops, exifs, paired=False)
    share = np.mean([data[epoch, 0][0][1]["manipulated"] for epoch in range(400)])
    assert 0.4 < share < 0.6
    assert len(data[0, 0]) == 1


def test_workers_change_nothing(crops, exifs):
    data = dataset(crops, exifs)
    for (one, told), (two, told_too) in zip(epochs(data, 0), epochs(data, 2), strict=True):
        assert torch.equal(one, two)
        assert all(torch.equal(told[name], told_too[name]) for name in told)


def test_epochs_and_seeds_differ(crops, exifs):
    data = dataset(crops, exifs)
    assert not np.array_equal(data[0, 0][0][0], data[1, 0][0][0])
    assert not np.array_equal(data[0, 0][0][0], dataset(crops, exifs, seed=1)[0, 0][0][0])
    assert np.array_equal(data[1, 3][1][0], data[1, 3][1][0])


def test_global_random_state_is_left_alone(crops, exifs):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    epochs(dataset(crops, exifs), 0)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


class TestPhotoBatches:
    def deal(self, n_with, n_without, *, size=12, exif_fraction=0.25, n_epochs=1):
        has_exif = np.arange(n_with + n_without) < n_with
        batches = PhotoBatches(has_exif, size, exif_fraction=exif_fraction, seed=0)
        dealt = [list(batches) for _ in range(n_epochs)]
        assert all(len(epoch) == len(batches) for epoch in dealt)
        return has_exif, [[index for _, index in batch] for epoch in dealt for batch in epoch]

    @pytest.mark.parametrize(("n_with", "n_without"), [(10, 90), (50, 50), (90, 10), (3, 200)])
    def test_share_of_exif_is_capped(self, n_with, n_without):
        has_exif, batches = self.deal(n_with, n_without)
        assert max(has_exif[batch].mean() for batch in batches) <= 0.25 + 1e-9
        without = sorted(i for batch in batches for i in batch if not has_exif[i])
        assert without == list(range(n_with, n_with + n_without))  # each once
        assert max(map(len, batches)) <= 12

    def test_few_with_exif_all_come_every_epoch(self):
        has_exif, batches = self.deal(10, 90)
        assert sorted(i for batch in batches for i in batch if has_exif[i]) == list(range(10))

    def test_many_with_exif_take_turns(self):
        has_exif, batches = self.deal(60, 40, n_epochs=40)
        assert {i for batch in batches for i in batch if has_exif[i]} == set(range(60))

    def test_all_with_exif_come_once(self):
        _, batches = self.deal(30, 0)
        assert sorted(i for batch in batches for i in batch) == list(range(30))

    def test_full_fraction_is_a_plain_shuffle(self):
        _, batches = self.deal(30, 30, exif_fraction=1.0)
        assert sorted(i for batch in batches for i in batch) == list(range(60))

    def test_order_follows_seed_and_epoch(self):
        _, first = self.deal(30, 30, n_epochs=2)
        _, again = self.deal(30, 30, n_epochs=2)
        assert first == again
        assert first[0] != first[len(first) // 2]
