"""Targets: the arrays say what the tasks say, are small, and pickle."""

import pickle

import numpy as np
import pytest

from sklearn_blades.photos import read_photos
from sklearn_blades.photos.manipulations import MANIPULATIONS, REGIONS
from sklearn_blades.pretext import TaskSet, default_tasks, fidelity
from sklearn_blades.pretext.tasks import View
from sklearn_blades.pretext.training.targets import Targets, tabulate


class Odd:
    """A task of one's own that looks at both sides, and says nothing of what it reads."""

    name = "odd"
    prompts = ("even", "odd")

    def target(self, view):
        return (int(view.exif.get("FNumber", 0)) + len(view.manipulation.regions)) % 2

    def loss(self, logits, target):
        return fidelity(logits, target)


class Regions:
    """One that looks at the manipulation alone, without saying so."""

    name = "many_regions"
    prompts = ("one", "more")

    def target(self, view):
        return int(len(view.manipulation.regions) > 1)

    def loss(self, logits, target):
        return fidelity(logits, target)


@pytest.fixture(scope="module")
def exifs(photos):
    return [*(record.exif for record in read_photos(photos[:10])), {}, {}]


@pytest.fixture(scope="module")
def tasks(exifs):
    return TaskSet([*default_tasks(), Odd(), Regions()]).learn(exifs)


def test_the_arrays_say_what_every_task_says_of_every_view(tasks, exifs):
    targets = tabulate(tasks, exifs)
    for index, exif in enumerate(exifs):
        for place, how in enumerate(targets.hows):
            told, view = targets.of(index, place), View(exif, how)
            for name, truth in tasks.targets(view).items():
                np.testing.assert_array_equal(told[name], np.float32(truth), err_msg=name)


def test_a_side_that_does_not_matter_takes_no_room(tasks, exifs):
    shapes = {name: array.shape for name, array in tabulate(tasks, exifs).arrays.items()}
    assert shapes["ISOSpeedRatings"] == shapes["Make"] == (len(exifs), 1)
    n_hows = 1 + len(MANIPULATIONS)
    assert shapes["manipulated"] == shapes["many_regions"] == (1, n_hows)
    assert shapes["manipulated_regions"] == (1, n_hows, len(REGIONS))
    assert shapes["odd"] == (len(exifs), n_hows)


def test_a_million_photographs_take_less_than_50_mb(exifs):
    tasks = TaskSet(default_tasks()).learn(exifs)
    arrays = tabulate(tasks, exifs).arrays.values()
    each = sum(array.nbytes / len(exifs) for array in arrays if len(array) > 1)
    assert each < 50


def test_known_says_who_is_told_apart_by_what(tasks, exifs):
    targets = tabulate(tasks, exifs)
    n_tags = sum(array.shape[0] == len(exifs) for array in targets.arrays.values())
    assert targets.known.shape == (len(exifs), n_tags)
    assert targets.known[:10, 0].all()
    assert not targets.known[10:, :-1].any()  # but for "odd", which always has an answer


def test_parts_and_pickles_answer_alike(tasks, exifs):
    targets = tabulate(tasks, exifs)
    part = pickle.loads(pickle.dumps(targets.part(np.array([3, 7]))))
    assert isinstance(part, Targets)
    assert len(part) == 2
    for place in range(len(targets.hows)):
        np.testing.assert_equal(part.of(1, place), targets.of(7, place))


def test_a_single_photograph_is_still_a_photograph(exifs):
    tasks = TaskSet(default_tasks()).learn(exifs)
    one = tabulate(tasks, exifs).part(np.array([4]))
    assert one.of(0, 0)["ISOSpeedRatings"] == np.float32(exifs[4]["ISOSpeedRatings"])
    assert np.isnan(one.of(0, 0, labelled=False)["ISOSpeedRatings"])
    assert one.of(0, 0, labelled=False)["manipulated"] == 0


def test_large_numbers_are_not_wrapped():
    class Serial(Odd):
        name = "serial"

        def target(self, view):
            return view.exif["serial"]

    targets = tabulate(TaskSet([Serial()]), [{"serial": 1}, {"serial": 70_000}])
    assert targets.of(1, 0)["serial"] == 70_000
