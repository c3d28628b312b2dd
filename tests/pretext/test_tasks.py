"""Tasks own prompts, targets and loss; the task set owns the columns."""

import math

import pytest
import torch

from sklearn_blades.photos.manipulations import MANIPULATIONS, UNTOUCHED, Manipulation
from sklearn_blades.photos.pseudo_fakes import PSEUDO_FAKES
from sklearn_blades.pretext import (
    CategoricalTag,
    Manipulated,
    ManipulatedRegions,
    OrdinalTag,
    TaskSet,
    WhichManipulation,
    default_tasks,
    fidelity,
    ranking_fidelity,
)
from sklearn_blades.pretext.diagnostics import chance_loss
from sklearn_blades.pretext.tasks import View

EXIFS = 3 * [
    {"ISOSpeedRatings": 100.0, "FNumber": 2.0, "Make": "canon"},
    {"ISOSpeedRatings": 400.0, "FNumber": 2.0, "Make": "nikon"},
    {"Make": "canon"},
]
EXIFS[0] = EXIFS[0] | {"FocalLength": 50.0}
EXIFS[1] = EXIFS[1] | {"FocalLength": 35.0}


def test_default_tasks_are_the_eleven():
    names = [task.name for task in default_tasks()]
    assert len(names) == 11
    assert names[-2:] == ["manipulated", "manipulated_regions"]


def test_default_tasks_refuse_an_unknown_preset():
    with pytest.raises(ValueError, match="'default', 'zou25'"):
        default_tasks("zou24")


def test_slices_cover_the_prompts_without_overlap():
    tasks = TaskSet(
        [OrdinalTag("FNumber"), CategoricalTag("Make", ("canon", "nikon")), Manipulated()]
    )
    assert tasks.slices == {
        "FNumber": slice(0, 3),
        "Make": slice(3, 5),
        "manipulated": slice(5, 7),
    }
    assert len(tasks.prompts) == 7
    assert tasks.prompts[4] == "a photo of a face taken with the nikon brand camera"


def test_targets_of_a_view():
    chosen = [OrdinalTag("ISOSpeedRatings"), CategoricalTag("Make")]
    tasks = TaskSet([*chosen, Manipulated(), ManipulatedRegions()]).learn(EXIFS)
    distortion = MANIPULATIONS[-1]
    told = tasks.targets(View(EXIFS[1], distortion))
    assert told["ISOSpeedRatings"] == 400.0
    assert told["Make"] == 1
    assert told["manipulated"] == 1
    assert told["manipulated_regions"] == (1.0, 1.0)
    silent = tasks.targets(View({}, UNTOUCHED))
    assert math.isnan(silent["ISOSpeedRatings"])
    assert silent["Make"] == -1
    assert silent["manipulated"] == 0
    assert silent["manipulated_regions"] == (0.0, 0.0)


def test_constant_and_absent_tags_are_dropped_with_a_warning():
    with pytest.warns(UserWarning, match="Training goes on without") as caught:
        tasks = TaskSet(default_tasks()).learn(EXIFS)
    said = str(caught[0].message)
    assert "FNumber (the same in all 6 photographs that have it)" in said
    assert "ExposureTime (absent in all 9 photographs)" in said
    # Two photographs are no task: they would be learned by heart.
    assert "FocalLength (known of 2 of 9 photographs, 5 are needed)" in said
    assert tasks.names == ("ISOSpeedRatings", "Make", "manipulated", "manipulated_regions")


def test_no_exif_at_all_leaves_the_face_tasks():
    with pytest.warns(
        UserWarning, match="None of the 2 photographs has EXIF: .* without ISOSpeedRatings, "
    ):
        tasks = TaskSet(default_tasks()).learn([{}, {}])
    assert tasks.names == ("manipulated", "manipulated_regions")


def test_vocabulary_is_the_most_frequent_and_other():
    exifs = [{"Make": make} for make in "aaabbccd"]
    task = CategoricalTag("Make", max_classes=3).learn(exifs)
    assert task.classes == ("a", "b", "other")
    assert [task.target(View({"Make": make}, UNTOUCHED)) for make in "abcdx"] == [0, 1, 2, 2, 2]


def test_a_given_vocabulary_stays_and_strangers_are_unknown():
    task = CategoricalTag("Make", ("nikon", "canon")).learn(EXIFS)
    assert task.classes == ("nikon", "canon")
    assert task.target(View({"Make": "sony"}, UNTOUCHED)) == -1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OrdinalTag("Make"), "not one of the EXIF tags"),
        (lambda: CategoricalTag("ISO"), "not one of the EXIF tags"),
        (lambda: CategoricalTag("Make", "canon"), "tuple of distinct words"),
        (lambda: TaskSet([Manipulated(), Manipulated()]), "manipulated given more than once"),
    ],
)
def test_mistakes_are_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_anything_else_is_no_task():
    with pytest.raises(TypeError, match="is no pretext task: it needs name"):
        TaskSet(["Make"])


def test_losses_are_those_of_the_columns():
    tasks = TaskSet([OrdinalTag("ISOSpeedRatings"), Manipulated(), ManipulatedRegions()])
    logits = torch.randn(6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    iso, class_ = torch.tensor([1.0, 2, 3, 3, math.nan, 5]), torch.tensor([0, 1, 0, 1, 0, 1])
    regions = torch.zeros(6, 2)
    targets = {"ISOSpeedRatings": iso, "manipulated": class_, "manipulated_regions": regions}
    losses = tasks.losses(logits, targets)
    q = logits[:, :3].softmax(1)
    assert losses[0] == ranking_fidelity(q[:, 0] + 2 * q[:, 1] + 3 * q[:, 2], iso)
    assert losses[1] == fidelity(logits[:, 3:5], class_)
    assert losses.shape == (3,)


class Which:
    """A user's own task: which manipulation was it?"""

    name = "which"
    prompts = ("first", "second", "third", "fourth", "none")

    def target(self, view):
        names = [how.name for how in MANIPULATIONS]
        return names.index(view.manipulation.name) if view.manipulation.regions else 4

    def loss(self, logits, target):
        return fidelity(logits, target)


def test_a_users_task_takes_part():
    tasks = TaskSet([Manipulated(), Which()]).learn(EXIFS)
    assert tasks.slices["which"] == slice(2, 7)
    assert tasks.targets(View({}, MANIPULATIONS[2]))["which"] == 2


def test_chance_is_the_best_constant_answer():
    target = torch.tensor([0] * 9 + [1] * 3)
    # Minimise 1 - (9 sqrt(q) + 3 sqrt(1 - q)) / 12: q = 0.9 by calculus.
    best = 1 - (9 * math.sqrt(0.9) + 3 * math.sqrt(0.1)) / 12
    assert chance_loss(Manipulated(), target) == pytest.approx(best, abs=1e-5)
    iso = torch.tensor([1.0, 2.0, 3.0])
    assert chance_loss(OrdinalTag("FNumber"), iso) == pytest.approx(1 - math.sqrt(0.5), abs=1e-5)


SELF_BLEND = PSEUDO_FAKES[0]


def test_tasks_say_which_manipulations_views_are_made_of():
    assert TaskSet([OrdinalTag("FNumber")]).manipulations == MANIPULATIONS
    assert TaskSet([Manipulated(), ManipulatedRegions()]).manipulations == MANIPULATIONS
    tasks = TaskSet([Manipulated(("self_blend",)), Manipulated("pseudo_fakes"), Which()])
    assert tasks.manipulations == PSEUDO_FAKES
    assert TaskSet([Manipulated(), tasks["self_blend"]]).manipulations == (
        *MANIPULATIONS,
        SELF_BLEND,
    )


def test_a_task_knows_its_own_manipulations_and_is_silent_about_others():
    flips, blend = Manipulated(), Manipulated(["self_blend"])
    regions, which = ManipulatedRegions(), WhichManipulation(("self_blend", "eye_flip"))
    assert [task.target(View({}, UNTOUCHED)) for task in (flips, blend, which)] == [0, 0, 0]
    assert [task.target(View({}, SELF_BLEND)) for task in (flips, blend, which)] == [-1, 1, 1]
    assert [task.target(View({}, MANIPULATIONS[0])) for task in (flips, blend, which)] == [1, -1, 2]
    assert all(map(math.isnan, regions.target(View({}, SELF_BLEND))))
    assert ManipulatedRegions(manipulations="all").target(View({}, PSEUDO_FAKES[-1])) == (1.0, 0.0)


def test_names_and_prompts_tell_the_tasks_apart():
    tasks = TaskSet([Manipulated(), Manipulated("pseudo_fakes"), Manipulated(("catch_lights",))])
    assert tasks.names == ("manipulated", "pseudo_fakes", "catch_lights")
    assert len(set(tasks.prompts)) == 6
    assert tasks.prompts[-1] == "a photo of a face with catch lights"
    assert Manipulated("all").name == Manipulated(("eye_flip", "self_blend")).name == "manipulated"
    which = WhichManipulation()
    assert len(which.prompts) == len(set(which.prompts)) == 11
    answers = which.reading(torch.zeros(2, 11))
    assert [*answers] == ["untouched", *(how.name for how in which.edits)]


def test_manipulations_of_ones_own_are_a_task():
    own = Manipulation("darker", ("eye",), lambda pixels, face, rng, *, resampled=True: pixels // 2)
    tasks = TaskSet([Manipulated((own, "eye_flip")), ManipulatedRegions(manipulations=(own,))])
    assert tasks.manipulations == (own, MANIPULATIONS[0])
    other = Manipulation("darker", ("mouth",), own.apply)
    with pytest.raises(ValueError, match="two different manipulations are named 'darker'"):
        TaskSet([tasks["manipulated"], WhichManipulation((other,))]).manipulations  # noqa: B018
    with pytest.raises(ValueError, match="'blend': no manipulation; known are eye_flip"):
        Manipulated(("blend",))
