"""The binary head: labels of any kind, a net that can be repeated, moved and put away."""

import copy
import pickle

import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import betabinom
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import TunedThresholdClassifierCV, cross_val_score, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

from sklearn_blades import BladesBinary
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.evaluation import evaluate_by_generator, source_shift
from sklearn_blades.ground.device import resolve_device
from sklearn_blades.heads import perceptron
from sklearn_blades.heads.perceptron import WeightedCrossEntropy, logit_margin
from sklearn_blades.persistence import load, save

WIDTH = 12


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Nets this small spend their time handing work between threads."""
    with threadpool_limits(1):
        yield


def unit_rows(n, rng, shift=0.0, spread=0.3):
    rows = np.eye(WIDTH)[0] + spread * rng.normal(size=(n, WIDTH)) + shift
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def Xy(rng):
    """120 photographs (1) and 80 AI-generated faces (0), shuffled."""
    order = rng.permutation(200)
    X = np.r_[unit_rows(120, rng), unit_rows(80, rng, shift=0.4)]
    return X[order], np.repeat([1, 0], [120, 80])[order]


def head(**parameters):
    return BladesBinary(
        **{"random_state": 0, "max_epochs": 8, "batch_size": 64, "lr": 1e-2, **parameters}
    )


# --- verdicts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [[0, 1], [-1, 1], [False, True], ["fake", "photo"], np.array(["f", "p"], object), [2.0, 7.0]],
)
def test_labels_of_any_kind(Xy, labels):
    X, target = Xy
    y = np.asarray(labels)[target]
    fitted = head().fit(X, y)
    assert_array_equal(fitted.classes_, labels)
    assert fitted.score(X, y) > 0.95
    assert fitted.predict(X).dtype == y.dtype
    decision, proba = fitted.decision_function(X), fitted.predict_proba(X)
    assert decision[target == 1].mean() > 0 > decision[target == 0].mean()
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
    assert_allclose(proba[:, 1], 1 / (1 + np.exp(-decision)), rtol=1e-5)
    assert_array_equal(fitted.classes_[proba.argmax(axis=1)], fitted.predict(X))


def test_the_net_is_the_one_described(Xy):
    X, y = Xy
    for hidden_size, expected in ((None, 32), (5, 5)):
        fitted = head(hidden_size=hidden_size, max_epochs=2).fit(X, y)
        sizes = [tuple(w.shape) for w in fitted.net_.module_.parameters()]
        assert sizes == [(expected, WIDTH), (expected,), (2, expected), (2,)]
    wide = head(max_epochs=1).fit(np.hstack([X, X]), y)
    assert wide.net_.module_[0].out_features == 4 * WIDTH
    assert wide.n_iter_ == len(wide.net_.history) == 1


def test_the_held_net_gives_the_same_probabilities(Xy):
    X, y = Xy
    fitted = head().fit(X, y)
    standardised = fitted.scaler_.transform(X).astype(np.float32)
    assert_allclose(fitted.net_.predict_proba(standardised), fitted.predict_proba(X), rtol=1e-4)


def test_training_lowers_the_loss_and_lr_and_weight_decay_reach_it(Xy):
    X, y = Xy
    losses = head().fit(X, y).net_.history[:, "train_loss"]
    assert losses[-1] < 0.3 * losses[0]
    assert head(lr=1e-5).fit(X, y).net_.history[-1, "train_loss"] > 0.6

    def size(fitted):
        return sum(w.detach().square().sum().item() for w in fitted.net_.module_.parameters())

    assert size(head(weight_decay=10.0).fit(X, y)) < 0.8 * size(head(weight_decay=0.0).fit(X, y))


def test_predicting_in_pieces_changes_nothing(Xy, monkeypatch):
    X, y = Xy
    fitted = head().fit(X, y)
    whole = fitted.decision_function(X)
    monkeypatch.setattr(perceptron, "ROWS_AT_ONCE", 7)
    assert_allclose(fitted.decision_function(X), whole, rtol=1e-4, atol=1e-6)


def test_it_serves_scikit_learns_metaestimators(Xy):
    X, target = Xy
    y = np.asarray(["fake", "photo"])[target]
    assert cross_val_score(head(), X, y, cv=2).min() > 0.9
    assert CalibratedClassifierCV(head(), cv=2).fit(X, y).score(X, y) > 0.9
    tuned = TunedThresholdClassifierCV(head(), cv=2, scoring="accuracy").fit(X, target)
    assert tuned.score(X, target) > 0.9
    members = [("binary", head()), ("near", KNeighborsClassifier())]
    judge = KNeighborsClassifier()
    assert StackingClassifier(members, judge, cv=2).fit(X, y).score(X, y) > 0.9


# --- the same again ----------------------------------------------------------------------------


def test_random_state_fixes_every_bit_and_global_states_are_untouched(Xy):
    X, y = Xy
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    fits = [head(random_state=seed).fit(X, y) for seed in (0, 0, 1)]
    first, again, other = (fitted.decision_function(X) for fitted in fits)
    pickle.loads(pickle.dumps(fits[0]))
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_predict_the_same_bits_and_keep_the_history(Xy, copier):
    X, y = Xy
    fitted = head().fit(X, y)
    copied = copier(fitted)
    assert_array_equal(copied.decision_function(X), fitted.decision_function(X))
    assert copied.net_.history == fitted.net_.history
    assert copied.net_ is not fitted.net_
    assert not hasattr(copier(clone(fitted)), "net_")


def test_the_state_is_plain_numpy(Xy):
    X, y = Xy
    fitted = head(early_stopping=True, class_weight="balanced").fit(X, y)
    held = fitted.net_

    def leaves(thing):
        parts = thing.values() if isinstance(thing, dict) else thing
        if isinstance(thing, dict | list | tuple):
            return {kind for part in parts for kind in leaves(part)}
        return {type(thing).__module__.split(".")[0]}

    assert leaves(fitted.__getstate__()) <= {"builtins", "numpy", "sklearn"}
    assert fitted.net_ is held  # reading the state does not change the object


# --- weights, early stopping, pseudo-outliers --------------------------------------------------


def test_weighted_cross_entropy_is_the_mean_over_rows(rng):
    logits = torch.from_numpy(rng.normal(size=(6, 2)))
    target = torch.tensor([0, 1, 1, 0, 1, 1])
    weight = torch.tensor([3.0, 0.5], dtype=torch.float64)
    naive = -np.mean(
        [w * np.log(np.exp(z[t]) / np.exp(z).sum())
         for z, t, w in zip(logits.numpy(), target, weight[target].numpy(), strict=True)]
    )  # fmt: skip
    assert_allclose(WeightedCrossEntropy(weight)(logits, target).item(), naive)
    ignored = WeightedCrossEntropy(torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert ignored(logits[:1], target[:1]).item() == 0


def test_class_weight_moves_the_boundary_and_only_ratios_matter(rng):
    X = np.r_[unit_rows(180, rng), unit_rows(20, rng, shift=0.1)]
    y = np.repeat(["photo", "fake"], [180, 20])

    fresh = unit_rows(500, rng, shift=0.1)

    def flagged(class_weight):
        return np.mean(head(class_weight=class_weight).fit(X, y).predict(fresh) == "fake")

    assert flagged("balanced") > flagged(None) + 0.15
    assert flagged({"photo": 1, "fake": 9}) == flagged({"photo": 10, "fake": 90})
    threes = head(class_weight={"photo": 3, "fake": 3}).fit(X, y)
    assert_array_equal(threes.decision_function(X), head().fit(X, y).decision_function(X))
    assert flagged({"photo": 0.0, "fake": 1}) == 1
    with pytest.raises(ValueError, match=r"fake.* class_weight"):
        flagged({"photo": 1.0, "faek": 2.0})


def test_early_stopping_keeps_the_epoch_with_the_lowest_held_out_loss(rng):
    X, y = rng.normal(size=(200, 4)), rng.integers(2, size=200)  # nothing to learn
    stopping = head(early_stopping=True, max_epochs=100)
    stopped = clone(stopping).fit(X, y)
    best = int(np.argmin(stopped.net_.history[:, "valid_loss"]))
    assert stopped.n_iter_ == best + 1 + perceptron.PATIENCE < 100
    at_best = clone(stopping).set_params(max_epochs=best + 1).fit(X, y)
    assert_array_equal(at_best.decision_function(X), stopped.decision_function(X))
    assert stopped.scaler_.n_samples_seen_ == 180
    assert (
        clone(stopping).set_params(validation_fraction=0.3).fit(X, y).scaler_.n_samples_seen_ == 140
    )
    assert head(max_epochs=3).fit(X, y).scaler_.n_samples_seen_ == 200


def test_early_stopping_holds_out_whole_groups(Xy):
    X, y = Xy
    people = np.arange(200) // 8  # 25 people, 3 of them held out
    stopped = head(early_stopping=True, max_epochs=2).fit(X, y, groups=people)
    assert stopped.scaler_.n_samples_seen_ == 22 * 8
    with pytest.raises(ValueError, match=r"validation_fraction=0\.1 .*single group"):
        stopped.fit(X, y, groups=np.zeros(200))
    with (
        pytest.warns(SmallSampleWarning, match="80 of 200 rows are held out, and 20 were wanted"),
        pytest.raises(ValueError, match="hold 1 class only"),
    ):
        stopped.fit(X, y, groups=y)
    with pytest.raises(ValueError, match=r"validation_fraction=0\.1 of these 6 rows"):
        stopped.fit(X[:6], [0, 1] * 3)


def test_groups_are_routed(Xy):
    X, y = Xy
    with sklearn.config_context(enable_metadata_routing=True):
        routed = head(early_stopping=True, max_epochs=1).set_fit_request(groups=True)
        settings = {"cv": 2, "error_score": "raise"}
        cross_validate(routed, X, y, params={"groups": np.arange(200) // 4}, **settings)
        with pytest.raises(ValueError, match="single group"):
            cross_validate(routed, X, y, params={"groups": np.zeros(200)}, **settings)


@pytest.mark.parametrize("generated", [0, -1])
def test_pseudo_outliers_pull_the_boundary_in(rng, generated):
    odd = -np.eye(WIDTH)[1:7]  # photographs, each unlike all others
    X = np.r_[unit_rows(120, rng, spread=0.1), odd, unit_rows(80, rng, shift=0.4)]
    y = np.repeat([1, generated], [126, 80])
    trained = {"max_epochs": 40, "batch_size": 256}
    assert_array_equal(head(**trained).fit(X, y).predict(odd), 1)
    pulled = head(**trained, pseudo_outlier_fraction=0.045).fit(X, y)  # 6 of 126, rounded up
    assert_array_equal(pulled.predict(odd), generated)
    assert np.mean(pulled.predict(X[:120]) == 1) > 0.9


def test_pseudo_outliers_need_to_know_the_photographs(Xy):
    X, y = Xy
    with pytest.raises(ValueError, match=r"label them 1 \(the labels are \['fake', 'photo'\]\)"):
        head(pseudo_outlier_fraction=0.1).fit(X, np.asarray(["fake", "photo"])[y])
    with pytest.raises(ValueError, match="needs 3 photographs, got 2"):
        head(pseudo_outlier_fraction=0.1).fit(X[:10], [1, 1] + [0] * 8)


def parts(fitted):
    return {name: id(value) for name, value in vars(fitted).items()}


def test_a_training_that_diverges_is_an_error_and_leaves_nothing_behind(Xy):
    X, y = Xy
    diverging = head(lr=1e12, max_epochs=50)
    said = r"diverged at lr=1e\+12: in epoch \d+ of 50 loss or weights are no longer finite"
    before = parts(diverging)
    with pytest.raises(ValueError, match=said):
        diverging.fit(X, y)
    assert parts(diverging) == before
    with pytest.raises(ValueError, match=said):
        head(lr=1e12, max_epochs=50, early_stopping=True).fit(X, y)
    fitted = head().fit(X, y)
    answers = fitted.decision_function(X)
    fitted.set_params(lr=1e12, max_epochs=50)
    with pytest.raises(ValueError, match="diverged"):
        fitted.fit(X[:, :3], y)
    assert fitted.n_features_in_ == WIDTH
    assert_array_equal(fitted.decision_function(X), answers)


def test_a_loss_that_ends_far_above_its_start_is_said(Xy):
    with pytest.warns(ConvergenceWarning, match="At lr=1000 the loss ended far above") as caught:
        head(lr=1e3, max_epochs=2, batch_size=256).fit(*Xy)
    assert caught[0].filename == __file__


# --- refusals, output, devices -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1] * 200, r"1 class only \(.*1.*\).* BladesOneClass"),
        ([0, 1, 2, 3] * 50, "Only binary classification is supported. .* multiclass; label"),
        (np.linspace(0, 1, 200), "continuous"),
        ([0, 1], "inconsistent numbers of samples"),
        ([0, np.nan] * 100, r"y contains NaN, .* in 100 of 200 rows \(rows 1, 3, 5, \.\.\.\)"),
        (["photo", None] * 100, r"y contains NaN, infinity or None in 100 of 200 rows"),
        (None, "y"),
    ],
)
def test_labels_it_cannot_use(Xy, y, message):
    with pytest.raises(ValueError, match=message):
        head().fit(Xy[0], y)


def test_a_row_without_a_group_is_refused(Xy):
    people = np.repeat(np.arange(20.0), 10)
    people[7] = np.nan
    with pytest.raises(ValueError, match=r"groups contains NaN.* 1 of 200 rows \(rows 7\)"):
        head().fit(*Xy, groups=people)


def test_rows_that_are_not_finite_are_counted(Xy):
    X, y = Xy
    fitted = head(max_epochs=1).fit(X, y)
    X[5, 3] = np.nan
    with pytest.raises(ValueError, match=r"1 of 200 rows .*\(rows 5\).* X\[keep\], y\[keep\]"):
        fitted.fit(X, y)
    with pytest.raises(ValueError, match="1 of 200 rows"):
        fitted.predict_proba(X)


@pytest.mark.parametrize(
    "wrong",
    [{"hidden_size": 0}, {"lr": 0.0}, {"max_epochs": 0}, {"validation_fraction": 1.0},
     {"pseudo_outlier_fraction": 1.0}, {"class_weight": "heavy"}, {"device": None}],
)  # fmt: skip
def test_parameters_are_checked_in_fit(Xy, wrong):
    unfitted = BladesBinary(**wrong)
    with pytest.raises(ValueError, match=f"The '{next(iter(wrong))}' parameter"):
        unfitted.fit(*Xy)


def test_a_device_that_is_not_there(Xy):
    with pytest.raises(ValueError, match="use device='auto' or device='cpu'"):
        head(device="cuda:99").fit(*Xy)


def test_verbose_prints_an_epoch_a_line(Xy, capsys):
    head(max_epochs=3).fit(*Xy)
    assert capsys.readouterr().out == ""
    head(max_epochs=3, verbose=1).fit(*Xy)
    assert len(capsys.readouterr().out.strip().splitlines()) == 2 + 3  # two lines of heading


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_in_use_and_cpu_at_rest(Xy):
    X, y = Xy
    before = torch.cuda.get_rng_state()
    fitted = head(device="cuda", early_stopping=True, max_epochs=40).fit(X, y)
    assert torch.equal(torch.cuda.get_rng_state(), before)
    assert {w.device.type for w in fitted.net_.module_.parameters()} == {"cpu"}
    Z = fitted.scaler_.transform(X).astype(np.float32)
    on_cuda = logit_margin(fitted.net_.module_, Z, resolve_device("cuda"))
    assert {w.device.type for w in fitted.net_.module_.parameters()} == {"cpu"}
    assert_allclose(on_cuda, fitted.decision_function(X), rtol=1e-5)
    laptop = pickle.loads(pickle.dumps(fitted)).set_params(device="cpu")
    assert_allclose(laptop.decision_function(X), on_cuda, rtol=1e-3, atol=1e-3)
    assert fitted.score(X, y) > 0.9


class TestPromise:
    """What ``target_fpr`` adds: as in the one-class head, with the labels that were given."""

    @pytest.fixture
    def data(self):
        rng = np.random.default_rng(0)
        return np.r_[rng.normal(size=(400, 6)), rng.normal(size=(150, 6)) + 1], np.repeat(
            [1, 0], [400, 150]
        )

    def head(self, **params):
        defaults = {"target_fpr": 0.1, "lr": 0.01, "max_epochs": 5, "random_state": 0}
        return BladesBinary(**{**defaults, **params})

    def test_without_one_there_is_none(self, data):
        head = self.head(target_fpr=None).fit(*data)
        assert not hasattr(head, "calibration_scores_")
        for name in ("p_values", "recalibrate", "score_samples", "offset_"):
            assert not hasattr(head, name), name
        assert head.decision_function(data[0]).dtype == np.float32

    def test_realised_false_alarms_are_those_promised(self, data):
        rng, (X, y) = np.random.default_rng(7), data
        X, counts = X.copy(), []
        for seed in range(60):
            X[y == 1] = rng.normal(size=(400, 6))
            head = self.head(random_state=seed, max_epochs=2).fit(X, y)
            counts.append(np.sum(head.predict(rng.normal(size=(200, 6))) == 0))
        assert len(head.calibration_scores_) == 80
        law = betabinom(200, 8, 73)  # the 8th smallest of 80
        assert abs(np.mean(counts) - law.mean()) < 3 * law.std() / np.sqrt(60)

    @pytest.mark.parametrize(
        ("labels", "params"),
        [
            ((0, 1), {}),
            ((2, 1), {}),
            (("fake", "photo"), {"photographic_label": "photo"}),
            (("z", "a"), {"photographic_label": "a"}),
            ((True, False), {"photographic_label": False}),
        ],
    )
    def test_any_labels_and_either_order(self, data, labels, params):
        X, y = data
        named = np.array(labels)[y]
        head = self.head(**params).fit(X, named)
        assert roc_auc_score(y, head.score_samples(X)) > 0.9
        assert len(head.calibration_scores_) == 80
        flagged = head.predict(X) != labels[1]
        assert set(head.predict(X)) == set(labels)
        assert_array_equal(flagged, head.p_values(X) <= 0.1)
        assert_array_equal(flagged, head.score_samples(X) < head.offset_)
        second = head.predict(X) == head.classes_[1]
        assert_array_equal(second, head.decision_function(X) > 0)
        assert_array_equal(second, head.predict_proba(X)[:, 1] > 0.5)
        assert np.isin(head.offset_, head.score_samples(X))  # a row stands on the threshold

    def test_labels_that_do_not_say_which_is_which(self, data):
        X, y = data
        words = np.array(["fake", "photo"])[y]
        with pytest.warns(UserWarning, match="'photo' is taken for the label of ph") as caught:
            self.head().fit(X, words)
        assert caught[0].filename == __file__
        with pytest.raises(ValueError, match=r"target_fpr needs to know.*\['fake', 'photo'\]"):
            self.head(photographic_label="foto").fit(X, words)

    def test_the_rate_may_change_and_come_later(self, data):
        X, y = data
        head = self.head().fit(X, y)
        assert head.set_params(target_fpr=0.02).offset_ < head.set_params(target_fpr=0.2).offset_
        plain = self.head(target_fpr=None).fit(X, y)
        answers = plain.predict(X)
        plain.set_params(target_fpr=0.1)
        with pytest.raises(NotFittedError, match="recalibrate"):
            plain.predict(X)
        fresh = np.random.default_rng(1).normal(size=(200, 6))
        plain.recalibrate(fresh)
        assert len(plain.calibration_scores_) == 200
        assert np.mean(plain.predict(fresh) == 0) == pytest.approx(0.095)  # the 20th of 200
        assert_array_equal(plain.set_params(target_fpr=None).predict(X), answers)

    def test_too_few_flag_nothing_and_say_so(self, data):
        X, y = data
        rows = np.r_[:40, 400:550]
        with pytest.warns(SmallSampleWarning, match="8 calibration photographs") as caught:
            head = self.head(target_fpr=0.05).fit(X[rows], y[rows])
        assert caught[0].filename == __file__
        with pytest.warns(SmallSampleWarning) as caught:
            assert set(head.predict(X)) == {1}
        assert caught[0].filename == __file__
        with pytest.warns(SmallSampleWarning):
            order = np.argsort(head.decision_function(X))
        assert_array_equal(order, np.argsort(head.score_samples(X)))

    def test_persons_held_out_taught_nothing_as_fakes_either(self, data):
        X, y = data
        persons = np.r_[np.arange(400) // 4, np.arange(150) % 100]
        head = self.head().fit(X, y, groups=persons)
        held = np.isin(head.score_samples(X), head.calibration_scores_) & (y == 1)
        assert held.sum() == len(np.unique(persons[held])) == len(head.calibration_scores_) == 20
        changed = np.where((np.isin(persons, persons[held]) & ~held)[:, None], 99, X)
        again = self.head().fit(changed, y, groups=persons)
        assert_array_equal(again.calibration_scores_, head.calibration_scores_)

    def test_recalibrated_by_its_own_labels(self, data):
        X, y = data
        words = np.array(["fake", "photo"])[y]
        head = self.head(photographic_label="photo").fit(X, words)
        head.recalibrate(X + 0.2, words, sources=y * 0)
        assert len(head.calibration_scores_) == 400
        assert list(head.calibration_sources_) == ["0"]

    def test_it_is_judged_by_its_promise_and_kept_in_files(self, data, tmp_path):
        X, y = data
        head = self.head().fit(X, y)
        generator = np.where(y == 1, None, "gan")
        report = evaluate_by_generator(head, X, y, generator, photographic_label=1)
        assert report.average.auc.value > 0.8
        assert_allclose(report.average.fpr.value, np.mean(head.predict(X[y == 1]) == 0))
        fresh = np.random.default_rng(2).normal(size=(2, 100, 6))
        assert source_shift(head, *fresh).n_calibration == 80
        with pytest.raises(TypeError, match="BladesBinary, which promises no false-alarm rate"):
            source_shift(self.head(target_fpr=None).fit(X, y), *fresh)
        save(head, tmp_path / "head.blades")
        again = load(tmp_path / "head.blades")
        assert_array_equal(again.decision_function(X), head.decision_function(X))
        assert_array_equal(again.p_values(X), head.p_values(X))
        head.calibration_scores_ = np.array([np.nan])
        with pytest.raises(ValueError, match="contradict"):
            save(head, tmp_path / "head.blades")
