"""BladesEncoder on paths: it learns, embeds, and answers bad input in words."""

import multiprocessing
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.errors import NoFaceError, PhotoError, SmallSampleWarning
from sklearn_blades.ground import rows
from sklearn_blades.photos import Face, PhotoRecord, read_photos
from sklearn_blades.photos.faces import as_face
from sklearn_blades.pretext import Manipulated, OrdinalTag
from sklearn_blades.storage.cache import cache_for

SMALL = {
    "face_locator": "whole",
    "face_margin": 1.6,
    "image_size": 32,
    "max_epochs": 1,
    "batch_size": 16,
    "device": "cpu",
    "random_state": 0,
}

# A handful of photographs cannot teach every tag, which would be a warning.
FEW = {**SMALL, "tasks": [OrdinalTag("ISOSpeedRatings"), Manipulated()]}


@pytest.fixture(scope="module")
def encoder(photos):
    return BladesEncoder(**SMALL).fit(photos)


@pytest.fixture(scope="module")
def features(encoder, photos):
    return encoder.transform(photos)


def untrained(**kwargs):
    return BladesEncoder(**{**SMALL, "max_epochs": 0, **kwargs})


class TestFit:
    def test_attributes(self, encoder):
        assert encoder.n_iter_ == 1
        assert len(encoder.task_weights_) == len(encoder.tasks_) == 11
        assert sum(encoder.task_weights_.values()) == pytest.approx(11, abs=1e-3)
        assert len(set(encoder.task_weights_.values())) > 1
        (row,) = encoder.history_
        assert set(row["losses"]) == set(row["weights"]) == set(encoder.task_weights_)
        assert 0 < row["outer_loss"] < 1
        assert all(0 <= loss <= 1 for loss in row["losses"].values())
        assert encoder.precision_ == "float32"
        assert encoder.lr_ == 1e-3
        assert encoder.weight_lr_ == 5e-2

    def test_at_rest_everything_is_on_the_cpu_and_in_evaluation_mode(self, encoder):
        assert {p.device.type for p in encoder.embedding_.parameters()} == {"cpu"}
        assert not encoder.embedding_.training

    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_same_seed_same_bits_whatever_the_workers(self, photos, features, n_jobs):
        again = BladesEncoder(**SMALL, n_jobs=n_jobs).fit(photos)
        assert np.array_equal(again.transform(photos), features)

    def test_another_seed_gives_other_weights(self, encoder, photos):
        other = clone(encoder).set_params(random_state=1).fit(photos)
        assert other.digest_ != encoder.digest_

    def test_global_random_state_is_left_alone(self, photos):
        torch.manual_seed(3)
        before = torch.get_rng_state()
        BladesEncoder(**FEW).fit(photos[:6])
        assert torch.equal(before, torch.get_rng_state())

    def test_training_moves_both_towers_and_batch_statistics(self, encoder, photos):
        start = untrained().fit(photos).embedding_.state_dict()
        end = encoder.embedding_.state_dict()
        for name in (
            "towers.visual.conv1.weight",
            "towers.text.token_embedding.weight",
            "towers.visual.bn1.running_mean",
            "towers.logit_scale",
        ):
            assert not torch.equal(start[name], end[name])

    def test_only_real_steps_count_for_batch_statistics(self, encoder):
        # 28 inner photographs in batches of 8: four steps. A look ahead would count as well.
        counted = encoder.embedding_.state_dict()["towers.visual.bn1.num_batches_tracked"]
        assert counted == 4

    def test_y_selects_photographs(self, photos, features):
        y = np.repeat([1, 0], [16, 16])
        a = BladesEncoder(**SMALL).fit(photos, y)
        b = BladesEncoder(**SMALL).fit(photos[:16])
        assert a.digest_ == b.digest_
        c = BladesEncoder(**SMALL, photographic_label=-1).fit(photos, np.where(y == 1, -1, 1))
        assert c.digest_ == b.digest_

    def test_labels_that_do_not_say_what_they_are_are_asked_after(self, photos, monkeypatch):
        monkeypatch.setattr(rows, "_said", False)
        y = np.repeat([1, 0], [4, 28])
        with pytest.warns(UserWarning, match=r"say photographic_label=1 \(or 0\)"):
            untrained().fit(photos, y)
        untrained().fit(photos, y)  # once a process
        untrained(photographic_label=0).fit(photos, y)

    def test_groups_stay_on_one_side(self, photos):
        encoder = BladesEncoder(**SMALL, outer_fraction=0.5)
        two = np.repeat(["ann", "bob"], 16)
        assert encoder.fit(photos, groups=two).n_iter_ == 1
        with pytest.raises(ValueError, match="1 different file"):
            encoder.fit(photos, groups=["ann"] * 32)
        with pytest.raises(ValueError, match="groups has 3 rows, and X has 32"):
            encoder.fit(photos, groups=["ann"] * 3)

    @pytest.mark.parametrize(("share", "weight"), [("auto", 2 / 3), (0.25, 0.25)])
    def test_primary_task_starts_ahead_from_scratch(self, photos, share, weight):
        encoder = BladesEncoder(**FEW, primary_share=share, weight_lr=1e-6).fit(photos[:8])
        assert encoder.task_weights_["manipulated"] == pytest.approx(2 * weight, abs=1e-3)

    def test_augmented_views_are_what_it_learns_from(self, photos):
        plain, augmented = (BladesEncoder(**FEW, augment=a).fit(photos[:8]) for a in (False, True))
        assert plain.digest_ != augmented.digest_

    def test_the_rate_rises_from_scratch_only(self, photos, tmp_path, monkeypatch):
        from sklearn_blades.persistence import save
        from sklearn_blades.pretext.training import loop as trainer

        seen, factor = [], trainer.rate_factor

        def watched(step, n_steps, *, warmup):
            seen.append(warmup)
            return factor(step, n_steps, warmup=warmup)

        monkeypatch.setattr(trainer, "rate_factor", watched)
        file = tmp_path / "start.blades"
        save(BladesEncoder(**FEW).fit(photos[:8]), file, training=True)
        assert set(seen) == {0.1}
        seen.clear()
        BladesEncoder(**FEW, pretrained=file).fit(photos[:8])
        assert set(seen) == {0.0}

    def test_fixed_weights_stay(self, photos):
        given = {"ISOSpeedRatings": 0.25, "manipulated": 2.0}
        encoder = BladesEncoder(**FEW, task_weighting=given).fit(photos[:8])
        assert encoder.task_weights_ == given
        assert np.isnan(encoder.history_[0]["outer_loss"])

    def test_free_weights_leave_the_simplex(self, photos):
        encoder = BladesEncoder(**SMALL, task_weighting="bilevel-free").fit(photos)
        assert sum(encoder.task_weights_.values()) != pytest.approx(11, abs=1e-4)

    def test_equal_weights_and_the_predecessor_are_one_argument_away(self, photos):
        equal = BladesEncoder(**FEW, task_weighting="equal").fit(photos[:8])
        assert set(equal.task_weights_.values()) == {1.0}
        zou = BladesEncoder(**SMALL, tasks="zou25").fit(photos[:8])
        assert list(zou.task_weights_) == [
            "ISOSpeedRatings", "FNumber", "ExposureTime", "FocalLength", "manipulated",
        ]  # fmt: skip
        assert set(zou.task_weights_.values()) == {1.0}

    def test_no_exif_goes_on_with_the_face_tasks(self, photos, tmp_path):
        for path in photos[:6]:
            Image.open(path).save(tmp_path / Path(path).name)
        with pytest.warns(
            UserWarning,
            match="None of the 5 photographs has EXIF",  # one is held out
        ):
            encoder = BladesEncoder(**SMALL).fit(sorted(map(str, tmp_path.iterdir())))
        assert encoder.tasks_.names == ("manipulated", "manipulated_regions")

    def test_duplicates_are_fine_and_stay_together(self, photos):
        with pytest.warns(UserWarning, match="4 of 8 photographs are copies of others"):
            assert BladesEncoder(**FEW).fit(photos[:4] * 2).n_iter_ == 1
        with (
            pytest.warns(UserWarning, match="3 of 4 photographs are copies"),
            pytest.raises(ValueError, match=r"4 photograph\(s\), 1 different file"),
        ):
            BladesEncoder(**{**SMALL, "tasks": [Manipulated()]}).fit(photos[:1] * 4)

    def test_one_photograph(self, photos):
        with pytest.raises(ValueError, match=r"1 photograph.*Give more photographs, or use"):
            BladesEncoder(**SMALL).fit(photos[:1])
        with (
            pytest.warns(UserWarning, match="the same in all 1"),
            pytest.warns(SmallSampleWarning, match="1 photograph can teach next to nothing"),
        ):
            BladesEncoder(**SMALL, task_weighting="equal").fit(photos[:1])

    def test_no_photograph(self):
        with pytest.raises(ValueError, match="X holds no photographs"):
            BladesEncoder(**SMALL).fit([])

    def test_sidecar_exif_travels_in_records(self, photos):
        table = {path: {"ISOSpeedRatings": 100 * (i % 3 + 1)} for i, path in enumerate(photos[:6])}
        records = read_photos(photos[:6], exif=table)
        encoder = BladesEncoder(**FEW)
        from_table, from_file = encoder.fit(records).digest_, encoder.fit(photos[:6]).digest_
        assert from_table != from_file

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"tasks": "all"}, "'tasks' parameter"),
            ({"task_weighting": {"manipulated": 1.0}}, "gives no weight for"),
            ({"primary_task": "Make it so"}, "is not among the tasks"),
            ({"precision": "float16"}, "'precision' parameter"),
            ({"exif_fraction": 0.0}, "'exif_fraction' parameter"),
            ({"device": "tpu"}, "use 'auto', 'cpu' or 'cuda'"),
            ({"face_locator": "nose"}, "face_locator='nose'"),
            ({"image_size": 16}, "image_size=16 does not fit blades-tiny"),
        ],
    )
    def test_bad_parameters_are_named(self, photos, change, message):
        with pytest.raises(ValueError, match=message):
            BladesEncoder(**{**FEW, **change}).fit(photos[:4])


class TestCheckpoints:
    def test_an_interrupted_fit_goes_on_to_the_same_bits(self, photos, tmp_path, monkeypatch):
        from sklearn_blades.pretext.training.loop import BilevelNet

        # A rate as a search draws it: no checkpoint may hold what is numpy's.
        params = {**FEW, "max_epochs": 3, "lr": np.float32(1e-3)}
        whole = BladesEncoder(**params).fit(photos[:12])
        interrupted = BladesEncoder(**params, checkpoint_dir=str(tmp_path))
        save, saved = BilevelNet._save, []

        def stop_after_two(net):
            save(net)
            saved.append(net)
            if len(saved) == 2:
                raise KeyboardInterrupt

        monkeypatch.setattr(BilevelNet, "_save", stop_after_two)
        with pytest.raises(KeyboardInterrupt):
            interrupted.fit(photos[:12])
        monkeypatch.undo()
        resumed = interrupted.fit(photos[:12])
        assert resumed.n_iter_ == 3
        assert resumed.digest_ == whole.digest_
        assert resumed.task_weights_ == whole.task_weights_

    def test_runs_share_a_folder(self, photos, tmp_path):
        params = {**FEW, "checkpoint_dir": str(tmp_path)}
        first, second = (BladesEncoder(**params).fit(photos[:n]) for n in (6, 8))
        assert len(list(tmp_path.iterdir())) == 2
        assert first.digest_ != second.digest_

    def test_a_run_without_a_random_state_goes_on_too(self, photos, tmp_path, monkeypatch):
        from sklearn_blades.pretext.training.loop import BilevelNet

        params = {**FEW, "max_epochs": 2, "random_state": None, "checkpoint_dir": tmp_path}
        save, seeds = BilevelNet._save, []

        def stop(net):
            save(net)
            seeds.append(net.seed)
            raise KeyboardInterrupt

        monkeypatch.setattr(BilevelNet, "_save", stop)
        with pytest.raises(KeyboardInterrupt):
            BladesEncoder(**params).fit(photos[:8])
        monkeypatch.undo()
        resumed = BladesEncoder(**params).fit(photos[:8])
        params |= {"random_state": None, "checkpoint_dir": None}
        assert resumed.n_iter_ == 2
        # Another run without a checkpoint draws another seed; this one kept its own.
        assert BladesEncoder(**params).fit(photos[:8]).digest_ != resumed.digest_
        assert len(list(tmp_path.iterdir())) == 1

    def test_an_epoch_cut_off_in_its_middle_goes_on_to_the_same_bits(
        self, photos, tmp_path, monkeypatch
    ):
        from sklearn_blades.pretext.training import runs
        from sklearn_blades.pretext.training.loop import BilevelNet

        params = {**FEW, "max_epochs": 2, "batch_size": 4, "outer_interval": 2}
        whole = BladesEncoder(**params).fit(photos[:12])
        monkeypatch.setattr(runs, "SAVE_SECONDS", -1)  # after every step
        step, taken = BilevelNet.train_step, []

        def killed(net, batch, **kwargs):
            if len(taken) == 8:
                raise KeyboardInterrupt
            taken.append(1)
            return step(net, batch, **kwargs)

        monkeypatch.setattr(BilevelNet, "train_step", killed)
        with pytest.raises(KeyboardInterrupt):
            BladesEncoder(**params, checkpoint_dir=tmp_path).fit(photos[:12])
        monkeypatch.undo()
        resumed = BladesEncoder(**params, checkpoint_dir=tmp_path).fit(photos[:12])
        assert resumed.digest_ == whole.digest_
        for row, expected in zip(resumed.history_, whole.history_, strict=True):
            assert row | {"dur": 0} == expected | {"dur": 0}

    @pytest.mark.parametrize("changed", ["exif", "face", "content"])
    def test_other_photographs_under_equal_names_are_another_run(self, photos, tmp_path, changed):
        from sklearn_blades.estimators.pretraining import _fingerprint

        record = PhotoRecord(shutil.copy(photos[0], tmp_path / "a.jpg"), {"Make": "canon"})
        encoder = BladesEncoder(**FEW)
        before = _fingerprint(encoder, [record], ["a"], 0)
        if changed == "exif":
            record = PhotoRecord(record.path, {"Make": "nikon"})
        elif changed == "face":
            record = PhotoRecord(record.path, record.exif, as_face((0.1, 0.1, 0.9, 0.9)))
        else:
            shutil.copy(photos[1], record.path)
        assert _fingerprint(encoder, [record], ["a"], 0) != before

    def test_other_weights_under_an_equal_name_are_another_run(self, photos, tmp_path):
        from sklearn_blades.estimators.pretraining import _fingerprint

        weights = tmp_path / "start.pth"
        weights.write_bytes(b"one")
        encoder = BladesEncoder(**FEW, pretrained=weights)
        before = _fingerprint(encoder, photos[:1], ["a"], 0)
        assert _fingerprint(encoder, photos[:1], ["a"], 0) == before
        weights.write_bytes(b"another")
        assert _fingerprint(encoder, photos[:1], ["a"], 0) != before


class TestSoundness:
    def test_divergence_is_said_before_it_is_saved(self, photos, tmp_path):
        encoder = BladesEncoder(**{**FEW, "lr": 1e30, "max_epochs": 3}, checkpoint_dir=tmp_path)
        with pytest.raises(
            FloatingPointError, match=r"diverged in epoch 1 .* lr=1e\+30; give a sm"
        ):
            encoder.fit(photos[:8])
        assert not list(tmp_path.rglob("*.ckpt"))

    def test_weights_that_run_away_are_said(self, photos):
        how = {"task_weighting": "bilevel-free", "weight_lr": 1e4}
        with pytest.raises(FloatingPointError, match=r"ran away in epoch 1 \(.*weight_lr=10000"):
            BladesEncoder(**FEW, **how).fit(photos[:8])

    def test_a_refit_that_fails_leaves_the_fit_before_it(self, photos):
        encoder = BladesEncoder(**FEW).fit(photos[:8])
        before, features = dict(vars(encoder)), encoder.transform(photos[:3])
        with pytest.raises(FloatingPointError):
            encoder.set_params(lr=1e30).fit(photos[:8])
        encoder.set_params(lr="auto")
        assert {k for k, v in vars(encoder).items() if v is not before[k]} <= {"lr"}
        np.testing.assert_array_equal(encoder.transform(photos[:3]), features)

    def test_fixed_weights_need_no_primary_task(self, photos):
        tasks = [OrdinalTag("ISOSpeedRatings")]
        encoder = BladesEncoder(**{**FEW, "tasks": tasks}, task_weighting="equal").fit(photos[:6])
        assert list(encoder.task_weights_) == ["ISOSpeedRatings"]

    def test_few_with_exif_are_ranked_against_each_other(self, photos):
        exif = [record.exif for record in read_photos(photos[:6])]
        records = [PhotoRecord(path, exif[i] if i < 6 else {}) for i, path in enumerate(photos)]
        encoder = BladesEncoder(**{**FEW, "batch_size": 8, "outer_fraction": 0.1}).fit(records)
        # Spread evenly no two would have met, and a loss of 0.0 looked perfect.
        assert 0.05 < encoder.history_[0]["losses"]["ISOSpeedRatings"] < 1


class TestWorkers:
    """Workers that are not forked, as on Windows, macOS and Linux from Python 3.14 on."""

    def test_any_kind_of_worker_gives_the_bits_of_one_process(self, photos, tmp_path):
        # Each spawned worker imports torch anew; those that are served are forked off one process,
        # so these are the ones that make the weights' photographs as well.
        learned, equal = FEW, {**FEW, "task_weighting": "equal"}
        script = tmp_path / "fit.py"
        script.write_text(
            "import multiprocessing, sys\n"
            "if __name__ == '__main__':\n"
            "    from sklearn_blades import BladesEncoder\n"
            "    from sklearn_blades.pretext import Manipulated, OrdinalTag\n"
            "    views = 'sklearn_blades.pretext.training.views'\n"
            "    multiprocessing.set_forkserver_preload([views])\n"
            f"    for method, params in [('forkserver', {learned!r}), ('spawn', {equal!r})]:\n"
            "        multiprocessing.set_start_method(method, force=True)\n"
            "        print(BladesEncoder(**params, n_jobs=2).fit(sys.argv[1:]).digest_)\n"
        )
        made = subprocess.run(
            [sys.executable, script, *photos[:8]], capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stderr
        here = [BladesEncoder(**params).fit(photos[:8]).digest_ for params in (learned, equal)]
        assert made.stdout.split() == here
        assert here[0] != here[1]

    def test_a_locator_that_cannot_be_sent_is_named(self, photos, monkeypatch):
        monkeypatch.setattr(multiprocessing, "get_start_method", lambda *args, **kwargs: "spawn")
        encoder = BladesEncoder(**{**FEW, "face_locator": lambda image: [(0.2, 0.2, 0.8, 0.8)]})
        with pytest.raises(ValueError, match=r"face_locator=<function .* top of a module"):
            encoder.set_params(n_jobs=2).fit(photos[:4])


class TestTransform:
    def test_rows_are_unit_float32(self, features):
        assert features.dtype == np.float32
        assert features.shape == (32, 128)
        np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)

    def test_order_and_subsets(self, encoder, photos, features, tmp_path):
        rows = np.array([5, 2, 31])
        # Copies in another place: nothing comes from the cache.
        copies = [str(shutil.copy(photos[row], tmp_path)) for row in rows]
        np.testing.assert_allclose(encoder.transform(copies), features[rows], atol=1e-6)
        np.testing.assert_allclose(
            encoder.transform(np.array(copies)[::-1]), features[rows[::-1]], atol=1e-6
        )

    def test_batches_do_not_matter(self, encoder, photos, features, tmp_path, monkeypatch):
        from sklearn_blades.towers import embed as inference

        copies = [shutil.copy(path, tmp_path) for path in photos[:7]]
        monkeypatch.setattr(inference, "BATCH", 3)
        np.testing.assert_allclose(encoder.transform(copies), features[:7], atol=1e-6)

    def test_every_container(self, encoder, photos, features):
        pd = pytest.importorskip("pandas")
        some = photos[:3]
        for X in (
            np.array(some, dtype=object),
            pd.Series(some, index=[7, 8, 9]),
            pd.DataFrame({"path": some}),
            [Path(path) for path in some],
            read_photos(some),
        ):
            np.testing.assert_array_equal(encoder.transform(X), features[:3])

    def test_images_and_arrays(self, encoder, photos, features):
        images = [Image.open(path) for path in photos[:2]]
        arrays = [np.asarray(image.convert("RGB")) for image in images]
        # Not equal: a file is decoded at a quarter of its size when 32 pixels are wanted.
        np.testing.assert_allclose(encoder.transform(images), features[:2], atol=1e-3)
        np.testing.assert_array_equal(encoder.transform(arrays), encoder.transform(images))

    def test_each_photograph_is_embedded_once(self, encoder, photos, features, monkeypatch):
        def fail(*args):
            raise AssertionError("embedded again")

        monkeypatch.setattr("sklearn_blades.towers.embed._forward", fail)
        np.testing.assert_array_equal(encoder.transform(photos), features)

    def test_a_changed_file_is_embedded_anew(self, encoder, photos, features, tmp_path):
        path = shutil.copy(photos[0], tmp_path / "a.jpg")
        encoder.transform([path])
        shutil.copy(photos[1], path)
        np.testing.assert_allclose(encoder.transform([path]), features[1:2], atol=1e-6)

    def test_memory_on_disk(self, photos, features, tmp_path):
        encoder = BladesEncoder(**SMALL, memory=str(tmp_path)).fit(photos)
        np.testing.assert_array_equal(encoder.transform(photos), features)
        assert list(tmp_path.rglob("*.npy"))

    def test_the_nearest_face_box_counts(self, photos):
        face = Face.from_box((0.3, 0.3, 0.6, 0.6))
        records = read_photos(photos[:1], faces={photos[0]: face})
        encoder = untrained(face_locator={photos[0]: face}).fit(photos[:1])
        np.testing.assert_allclose(
            encoder.transform(photos[:1]), encoder.transform(records), atol=1e-6
        )
        whole = untrained().fit(photos[:1]).transform(photos[:1])
        assert np.abs(whole - encoder.transform(photos[:1])).max() > 1e-4

    def test_an_edited_locator_is_another_locator(self, encoder, photos):
        def locate(image, box=(0.2, 0.2, 0.8, 0.8)):
            return [box]

        looking = pickle.loads(pickle.dumps(encoder)).set_params(face_locator=locate)
        before = looking.transform(photos[:1])

        def locate(image, box=(0.4, 0.4, 0.6, 0.6)):
            return [box]

        after = looking.set_params(face_locator=locate).transform(photos[:1])
        assert np.abs(before - after).max() > 1e-4

    def test_pickle_and_clone(self, encoder, photos, features):
        data = pickle.dumps(encoder)
        assert len(data) < 20e6
        cache_for().clear()  # the same digest would find the features of the original
        # The whole set, as `features` was made: to the bit, batches must be the same.
        np.testing.assert_array_equal(pickle.loads(data).transform(photos), features)
        with pytest.raises(NotFittedError):
            clone(encoder).transform(photos[:1])

    def test_feature_names_and_pandas_out(self, encoder, photos):
        pytest.importorskip("pandas")
        names = encoder.get_feature_names_out()
        assert list(names[:2]) == ["bladesencoder0", "bladesencoder1"]
        frame = (
            clone(encoder)
            .set_output(transform="pandas")
            .set_params(max_epochs=0)
            .fit_transform(photos[:4])
        )
        assert list(frame.columns) == list(names)

    def test_a_notebook_shows_the_task_weights(self, encoder):
        ranked = sorted(encoder.task_weights_.items(), key=lambda item: -item[1])
        shown = ", ".join(f"{name} {weight:.2f}" for name, weight in ranked)
        for estimator in (encoder, make_detector(encoder, BladesOneClass())):
            assert f"task weights: {shown}" in estimator._repr_html_()
        assert "task weights" not in clone(encoder)._repr_html_()

    def test_no_epochs_takes_weights_as_they_are(self, photos, tmp_path):
        encoder = untrained().fit([str(tmp_path / "never opened.jpg")])
        assert encoder.history_ == []
        assert encoder.transform(photos[:2]).shape == (2, 128)


class TestBadFiles:
    @pytest.fixture
    def bad(self, tmp_path, photos):
        good = Path(photos[0]).read_bytes()
        (tmp_path / "text.jpg").write_text("not a picture")
        (tmp_path / "empty.jpg").write_bytes(b"")
        (tmp_path / "truncated.jpg").write_bytes(good[: len(good) // 2])
        (tmp_path / "folder.jpg").mkdir()
        names = ["text.jpg", "empty.jpg", "truncated.jpg", "folder.jpg", "missing.jpg", "a\0b.jpg"]
        return [str(tmp_path / name) for name in names]

    def test_each_is_refused_by_name(self, encoder, bad):
        for path in bad:
            with pytest.raises(PhotoError) as caught:
                encoder.transform([path])
            assert str(caught.value).count(path) == 1

    def test_fit_refuses_by_name_or_goes_on_without(self, photos, bad):
        with pytest.raises(PhotoError, match=r"text\.jpg"):
            BladesEncoder(**FEW).fit(photos[:6] + bad)
        with pytest.warns(UserWarning, match="6 of 12 photographs cannot be used"):
            lenient = BladesEncoder(**FEW, on_error="nan").fit(photos[:6] + bad)
        assert lenient.digest_ == BladesEncoder(**FEW).fit(photos[:6]).digest_

    def test_rows_keep_their_place(self, encoder, photos, features, bad):
        lenient = pickle.loads(pickle.dumps(encoder)).set_params(on_error="nan")
        mixed = [photos[0], *bad, photos[1]]
        with pytest.warns(UserWarning, match=r"6 of 8 photographs .* First: .*text\.jpg"):
            rows = lenient.transform(mixed)
        assert np.isnan(rows).all(axis=1).tolist() == [False] + [True] * 6 + [False]
        np.testing.assert_allclose(rows[[0, -1]], features[:2], atol=1e-6)
        with pytest.raises(ValueError, match="6 of 8 rows contain NaN"):
            BladesOneClass().fit(rows)

    def test_no_face(self, encoder):
        pytest.importorskip("cv2")
        blank = np.full((100, 100, 3), 127, dtype=np.uint8)
        looking = pickle.loads(pickle.dumps(encoder)).set_params(face_locator="haar")
        with pytest.raises(NoFaceError, match="found no face"):
            looking.transform([blank])

    def test_one_path_is_not_a_list(self, encoder, photos):
        with pytest.raises(TypeError, match="wrap it in a list"):
            encoder.transform(photos[0])


class TestPipelines:
    @pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
    def test_the_two_lines_of_the_readme(self, photos):
        detector = make_pipeline(
            BladesEncoder(**SMALL), BladesOneClass(target_fpr=0.05, random_state=0)
        ).fit(photos)
        assert set(detector.predict(photos[:3])) <= {-1, 1}

    def test_a_fitted_encoder_stays_as_it_is(self, encoder, photos):
        with pytest.warns(SmallSampleWarning):
            detector = make_detector(encoder, BladesOneClass(random_state=0)).fit(photos)
        assert detector["encoder"].estimator is encoder

    def test_scores_of_held_out_photographs(self, encoder, photos):
        before = torch.get_rng_state()
        scores = encoder.score_tasks(photos[:8])
        assert torch.equal(torch.get_rng_state(), before)
        assert set(scores) == set(encoder.task_weights_)
        for score in scores.values():
            assert 0 <= score["loss"] <= 1
            assert 0 <= score["chance"] <= 1
        assert "auc" in scores["manipulated"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestCuda:
    def test_learns_there_and_answers_here(self, photos):
        params = {**SMALL, "device": "cuda"}
        encoder = BladesEncoder(**params).fit(photos)
        there = encoder.transform(photos)
        assert {p.device.type for p in encoder.embedding_.parameters()} == {"cpu"}
        here = pickle.loads(pickle.dumps(encoder)).set_params(device="cpu", memory=None)
        cache_for().clear()
        np.testing.assert_allclose(here.transform(photos), there, atol=1e-2)

    def test_bfloat16_is_recorded(self, photos):
        encoder = BladesEncoder(**{**SMALL, "device": "cuda", "precision": "bfloat16"}).fit(photos)
        assert encoder.precision_ == "bfloat16"
        assert np.isfinite(encoder.transform(photos)).all()
