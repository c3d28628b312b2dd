"""What is sent to workers, what is heard of them, and what stays in this process."""

import os
import pickle
import threading
import warnings

import joblib
import pytest

from sklearn_blades.ground.cluster import (
    check_sight,
    chunk_length,
    cluster_workers,
    heard,
    say_again,
    spread,
)
from sklearn_blades.ground.jobs import local_jobs, own_share


class TestWorkers:
    @pytest.mark.parametrize(
        ("how", "n"),
        [
            ({}, 0),
            ({"n_jobs": 3}, 0),  # says how many, and not where
            ({"backend": "threading", "n_jobs": 3}, 0),
            ({"backend": "multiprocessing", "n_jobs": 3}, 0),  # forked copies of torch may hang
            ({"backend": "loky"}, 0),
            ({"backend": "loky", "n_jobs": 3}, 3),
        ],
    )
    def test_only_a_backend_that_was_named_has_any(self, how, n):
        with joblib.parallel_config(**how):
            assert cluster_workers() == n

    def test_threads_inside_of_other_work_have_none(self):
        with joblib.parallel_config("loky", n_jobs=2):
            inside = joblib.Parallel(n_jobs=2, require="sharedmem")(
                joblib.delayed(cluster_workers)() for _ in range(2)
            )
        assert inside == [0, 0]

    def test_a_worker_has_its_own_share_of_threads_whatever_it_is_told(self):
        with own_share(3):
            assert [local_jobs(n) for n in (None, 1, -1)] == [3, 3, 3]
        assert local_jobs(None) == 1

    @pytest.mark.parametrize("n", [1, 50, 1000, 100_000])
    @pytest.mark.parametrize("step", [1, 13, 100, 2000])
    def test_chunks_are_whole_steps(self, n, step):
        length = chunk_length(n, 2, step)
        assert length % step == 0
        assert step <= length <= max(step, 1000)


def _measured(sent, chunk):
    warnings.warn(f"{sent} and {len(chunk)}", stacklevel=1)
    return os.getpid(), [sent * x for x in chunk], cluster_workers(), local_jobs(-1)


@pytest.mark.filterwarnings("ignore")  # as strict or mild as this process may be
def test_answers_come_in_order_with_what_was_said(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with joblib.parallel_config("loky", n_jobs=2):
        chunks = [range(start, start + 3) for start in range(0, 30, 3)]
        answers = list(spread(_measured, pickle.dumps(2), chunks))
    assert [x for answer, _ in answers for x in answer[1]] == [*range(0, 60, 2)]
    assert os.getpid() not in {answer[0] for answer, _ in answers}
    assert {answer[2:] for answer, _ in answers} == {(0, 1)}
    assert [[str(one) for one in said] for _, said in answers] == [["2 and 3"]] * 10


class TestWarnings:
    def test_each_thread_hears_its_own(self):
        both, found = threading.Barrier(2), {}
        before = warnings.showwarning, list(warnings.filters)

        def work(name):
            with heard() as said:
                both.wait()
                for _ in range(2):
                    warnings.warn(name, stacklevel=1)
                both.wait()
            found[name] = [str(one) for one in said]

        threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert found == {"a": ["a", "a"], "b": ["b", "b"]}
        assert (warnings.showwarning, list(warnings.filters)) == before

    def test_they_are_said_again_once(self):
        known = set()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            say_again([UserWarning("one"), UserWarning("one")], known)
            say_again([UserWarning("one"), FutureWarning("one")], known)
        assert [warning.category for warning in said] == [UserWarning, FutureWarning]
        assert said[0].filename == __file__


class TestSight:
    def test_a_worker_that_sees_none_of_the_files_says_so(self, tmp_path):
        there, gone = tmp_path / "a.jpg", tmp_path / "b.jpg"
        there.touch()
        check_sight([str(gone), str(there)], os.curdir)
        check_sight([], os.curdir)
        with pytest.raises(FileNotFoundError, match=r"sees none of the 1 files .*b\.jpg: every"):
            check_sight([str(gone)], os.curdir)

    def test_relative_paths_are_meant_from_the_callers_folder(self, tmp_path, monkeypatch):
        (tmp_path / "a.jpg").touch()
        monkeypatch.chdir(tmp_path)
        check_sight(["a.jpg"], str(tmp_path))
        for elsewhere in (str(tmp_path.parent), str(tmp_path / "not here")):
            with pytest.raises(FileNotFoundError, match=r"a\.jpg is meant from .*absolute paths"):
                check_sight(["a.jpg"], elsewhere)
