"""Views: paired, reproducible whatever the workers; batches dealt as promised."""

import numpy as np
import pytest
import torch

from sklearn_blades.photos import read_photos
from sklearn_blades.photos.crops import Crops, CropSettings
from sklearn_blades.photos.publishing import published
from sklearn_blades.pretext import Manipulated, OrdinalTag, TaskSet
from sklearn_blades.pretext.training import views
from sklearn_blades.pretext.training.plan import ViewPlan
from sklearn_blades.pretext.training.targets import tabulate
from sklearn_blades.pretext.training.views import ViewDataset, view_loader
from sklearn_blades.storage.cache import ArrayCache

TASKS = TaskSet([OrdinalTag("ISOSpeedRatings"), Manipulated()])


@pytest.fixture(scope="module")
def crops(photos):
    return Crops(photos[:8], CropSettings("whole", 1.6, 48), ArrayCache())


@pytest.fixture(scope="module")
def exifs(photos):
    return [record.exif for record in read_photos(photos[:8])]


def dataset(crops, exifs, *, seed=0, **how):
    return ViewDataset(crops, tabulate(TASKS, exifs), plan=ViewPlan(**how), seed=seed)


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


@pytest.mark.parametrize("n_workers", [0, 1])
def test_a_loader_leaves_the_towers_generator_alone(crops, exifs, n_workers):
    before = torch.get_rng_state()
    epochs(dataset(crops, exifs), n_workers)
    assert torch.equal(torch.get_rng_state(), before)


def test_nothing_but_the_manipulation_sets_a_pair_apart(crops, exifs):
    data = dataset(crops, exifs)
    pairs = [[view for view, _ in data[epoch, 0, True]] for epoch in range(12)]
    differs = np.array([(one != other).any(axis=2) for one, other in pairs])
    assert differs.any(axis=(1, 2)).all()
    # Flips stay inside their region; a view of its own map would differ up to the rim.
    assert (~differs[:, [0, -1]].any(axis=(1, 2))).sum() >= 6


def test_views_are_made_of_what_the_tasks_name(crops, exifs):
    tasks = TaskSet([Manipulated(), Manipulated(("catch_lights",)), Manipulated("pseudo_fakes")])
    data = ViewDataset(crops, tabulate(tasks, exifs), seed=0)
    answers = []
    for epoch in range(40):
        (untouched, told), (edited, asked) = data[epoch, 0, True]
        assert (untouched != edited).any()
        answers.append([tuple(int(t[name]) for name in tasks.names) for t in (told, asked)])
    # A task is asked about both views of a pair or about neither, so that its classes balance.
    assert {tuple(map(tuple, pair)) for pair in answers} == {
        ((0, -1, -1), (1, -1, -1)),
        ((-1, 0, 0), (-1, 1, 1)),
        ((-1, -1, 0), (-1, -1, 1)),
    }
    single = ViewDataset(crops, tabulate(tasks, exifs), plan=ViewPlan(paired=False), seed=0)
    told = [single[epoch, 0, True][0][1]["pseudo_fakes"] for epoch in range(300)]
    assert 0.4 < np.mean(np.array(told) == 0) < 0.6
    assert 0.2 < np.mean(np.array(told) == 1) < 0.4


def test_augmented_views_of_a_pair_are_processed_alike(crops, exifs, monkeypatch):
    plain = dataset(crops, exifs)
    augmented = dataset(crops, exifs, augment=True)
    drawn = []

    def recorded(pixels, rng):
        drawn.append(rng.bit_generator.state["state"]["state"])
        return published(pixels, rng)

    monkeypatch.setattr(views, "published", recorded)
    changed = []
    for index in range(len(crops)):
        pairs = zip(plain[0, index, True], augmented[0, index, True], strict=True)
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
    share = np.mean([data[epoch, 0, True][0][1]["manipulated"] for epoch in range(400)])
    assert 0.4 < share < 0.6
    assert len(data[0, 0, True]) == 1


def test_workers_change_nothing(crops, exifs):
    data = dataset(crops, exifs)
    for (one, told), (two, told_too) in zip(epochs(data, 0), epochs(data, 2), strict=True):
        assert torch.equal(one, two)
        assert all(torch.equal(told[name], told_too[name]) for name in told)


def test_epochs_and_seeds_differ(crops, exifs):
    data = dataset(crops, exifs)
    assert not np.array_equal(data[0, 0, True][0][0], data[1, 0, True][0][0])
    assert not np.array_equal(
        data[0, 0, True][0][0], dataset(crops, exifs, seed=1)[0, 0, True][0][0]
    )
    assert np.array_equal(data[1, 3, True][1][0], data[1, 3, True][1][0])


def test_global_random_state_is_left_alone(crops, exifs):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    epochs(dataset(crops, exifs), 0)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_without_labels_the_exif_is_unknown_and_the_manipulation_is_not(crops, exifs):
    ((_, untouched), (_, manipulated)) = dataset(crops, exifs)[0, 3, False]
    assert np.isnan(untouched["ISOSpeedRatings"])
    assert (untouched["manipulated"], manipulated["manipulated"]) == (0, 1)
