"""The yardsticks are what they say: a wrong yardstick makes any claim of speed worthless."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import _measure, audit_level, fusion, peers, release, task_scores
from benchmarks._peers_environment import environment_of, reason
from benchmarks._peers_job import pairs
from benchmarks.release import ReleaseStep
from benchmarks.reliability import _watch, models, photographs, summary
from benchmarks.step import LR, PRIMARY, Setting, hypergradient_of, prepared, problem
from sklearn_blades.datasets import make_photos
from sklearn_blades.evaluation.confounds.cues import CATEGORICAL, NUMERIC, read_cues


@pytest.fixture(scope="module")
def tiny():
    return problem(Setting("blades-tiny", 32, 8, "", 1), "cpu")


def test_release_step_makes_the_same_update_as_ours(tiny, monkeypatch):
    monkeypatch.setattr(release, "STEP", 3e-4)  # its own is coarse: up to a fifth off on this net
    embedding, tasks, inner, outer = tiny
    step = ReleaseStep(embedding, tasks, PRIMARY, lr=LR, weight_lr=3e-4)
    net = prepared(embedding, tasks, outer, weighting="bilevel-free")
    # Ours is divided by the rate before Adam sees it (docs/method.md, section 5).
    theirs, ours = step(inner, outer), LR * hypergradient_of(net, inner)
    # As vectors: entries differ in size by 400, and the smallest is the rounding of the others.
    assert (theirs - ours).norm() < 0.02 * ours.norm()


def test_release_step_trains_towers_and_weights_once(tiny):
    embedding, tasks, inner, outer = tiny
    step = ReleaseStep(embedding, tasks, PRIMARY, lr=1e-3, weight_lr=1e-2)
    counts = []
    step.model.register_forward_hook(lambda *_: counts.append("model"))
    step.ahead.register_forward_hook(lambda *_: counts.append("ahead"))
    before = step.model.towers.logit_scale.item()
    step(inner, outer)
    assert sorted(counts) == ["ahead", *["model"] * 4]  # five forwards
    assert step.model.towers.logit_scale.item() != before
    torch.testing.assert_close(
        (step.weights - 1).abs().detach(), torch.full((len(tasks),), 1e-2), rtol=0.05, atol=0
    )
    assert step.model.tokens.shape[1] == 77 > embedding.tokens.shape[1]


def test_ratios_pair_ways_within_a_round_and_judge_them():
    table = [{"slow": 6.0, "fast": 2.0}, {"slow": 8.0, "fast": 2.0}, {"slow": 50.0, "fast": 10.0}]
    line = _measure.ratio("slow / fast", table, "slow", "fast", ">= 3.5")
    assert (line.value, line.low, line.high, line.reached) == (4.0, 3.0, 5.0, True)
    assert not line._replace(wanted="<= 3.5").reached
    assert "| slow / fast | 4.00 | 3.00 | 5.00 | >= 3.5 | reached |" in _measure.table([line])


def test_rounds_turn_the_order_and_take_a_ways_own_clock():
    order = []
    ways = {"a": lambda: order.append("a"), "b": lambda: order.append("b") or 7.0}
    seconds = _measure.rounds(ways, 2)
    assert order == ["a", "b", "a", "b", "b", "a"]  # a warm-up, then two rounds
    assert [row["b"] for row in seconds] == [7.0, 7.0]


SECTIONS = """
import os, time

has_card = lambda: False
facts = lambda folder, small: {"words": "as it should be"}
step = lambda folder, small: 1 / 0
transform = lambda folder, small: os._exit(3)
look_ahead = lambda folder, small: time.sleep(60)
mixture = lambda folder, small: {"words": "measured", "wrong": ["a verdict differs"]}
"""
RUN = """
import sys
from pathlib import Path
from benchmarks import gpu

if __name__ == "__main__":
    gpu.SECTIONS = tuple(
        s._replace(seconds=1.5 if s.name == "look_ahead" else 60, module="stand_in_sections")
        for s in gpu.SECTIONS
    )
    gpu.main(["step", "transform", "look_ahead", "mixture", "--out", sys.argv[1]])
"""


def test_sections_on_a_card_fail_alone_and_all_are_kept(tmp_path, monkeypatch):
    (tmp_path / "stand_in_sections.py").write_text(SECTIONS)
    (tmp_path / "run.py").write_text(RUN)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path.cwd()), str(tmp_path)]))
    command = [sys.executable, str(tmp_path / "run.py"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    (path,) = (tmp_path / "out").iterdir()
    rows = {row["section"]: row for row in json.loads(path.read_text())}
    assert [name for name, row in rows.items() if row["ok"]] == ["facts"], done.stderr
    assert "ZeroDivisionError" in rows["step"]["error"]
    assert "ended with 3" in rows["transform"]["words"]
    assert "stopped after 1.5 s" in rows["look_ahead"]["error"]
    assert rows["mixture"]["wrong"] == ["a verdict differs"]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [line["section"] for line in lines] == list(rows)


def test_task_scores_are_measured_in_a_process_of_their_own():
    ratios, details = task_scores.measure(1, small=8, large=16)
    (row,) = details["rounds"]
    assert 100 < row["many"]["peak_mb"] < task_scores.MOST_MB
    assert row["many"]["seconds"] > 0
    assert ratios[0].reached
    scores = task_scores.scored(16, different=8)
    assert {"manipulated", "ISOSpeedRatings"} <= {*scores}
    assert all(0 <= score["loss"] <= 1 for score in scores.values())


linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as Linux keeps them")


@linux
def test_the_watch_sees_what_no_look_should_do(tmp_path):
    job = {"module": "tests.offender", "look": "look", "warm": [], "ending": ".bin", "begin": 0}
    (tmp_path / "job").write_text(json.dumps({**job, "folder": str(tmp_path), "end": 8}))
    lines, status = _watch(tmp_path / "job")
    assert status == 7
    assert lines[-1] == {"begins": 7, "kind": "end"}
    ended = {line["kind"]: line for line in lines if "ended" in line}
    events = {kind: set(line["events"]) for kind, line in ended.items()}
    assert events["pickle"] == {"pickle.find_class"}
    assert "subprocess.Popen" in events["program"]
    assert "socket.connect" in events["network"]
    assert events["code"] == {"compile", "exec"}
    assert events["write"] == {f"open {tmp_path}/mutated.bin.more to write"}
    outcomes = {kind: line["outcome"] for kind, line in ended.items()}
    assert {kind for kind, outcome in outcomes.items() if outcome == "untyped"} == {
        "memory", "untyped",
    }  # fmt: skip
    assert "MemoryError" in ended["memory"]["said"]


@linux
@pytest.mark.parametrize("part", [models, photographs])
def test_mutated_files_end_in_typed_errors_or_answers(part):
    pytest.importorskip("pillow_heif")
    report = part(120, seed=7)
    assert report["files"] == sum(report["outcomes"].values()) == 120
    assert report["outcomes"].keys() <= {"typed", "same", "different", "other pixels or tags"}
    assert report["outcomes"]["typed"] > 40
    assert report["outcomes"]["same"] > 0
    assert report["done_besides"] == {}
    assert report["largest"]["mb"] < 1000


@linux
def test_a_killed_save_leaves_a_whole_file_and_the_next_one_sweeps():
    # In a process of its own: what is killed is a fork, before torch has threads.
    program = "from benchmarks._kills import kills; print(kills(2, 1, ['save'])['save'])"
    command = [sys.executable, "-W", "ignore", "-c", program]
    found = ast.literal_eval(subprocess.check_output(command, text=True))
    assert (found["kills"], found["whole"], found["parts_left_in_the_end"]) == (2, 2, 0)


def test_a_damaged_file_that_answers_otherwise_is_counted_by_that_name():
    line = {"outcome": "different", "said": "", "seconds": 1.0, "bytes": 0, "events": {}}
    found = [{**line, "kind": "damaged: cut a"}, {**line, "kind": "forged: edited a"}]
    assert summary(found)["outcomes"] == {"damaged and different": 1, "different": 1}


def test_weights_of_two_parts_lose_little_to_the_best():
    setting = fusion.SETTINGS["one part at chance, 200"]
    assert fusion.area(0.0, (0, 0.0)) == 0.5
    lost = fusion.losses(setting, draws=20)
    assert (lost > 0).all()  # nothing is better than the best
    assert lost.max() < 0.05
    worst = fusion.area(0.0, (0, 1.7)) - fusion.area(1.0, (0, 1.7))
    assert worst > 0.3  # what the part at chance alone would lose


def test_an_audit_of_a_planted_cue_finds_it_and_a_null_audit_nothing(tmp_path):
    rows = [read_cues(path) for path in make_photos(130, tmp_path, random_state=0)]
    values = {name: np.array([row[name] for row in rows]) for name in (*NUMERIC, *CATEGORICAL)}
    assert audit_level.audit(values, "planted", 0) == "Confounded"
    assert audit_level.audit(values, "files", 0) != "Confounded"


def test_a_library_that_cannot_be_installed_has_a_row_that_says_why(tmp_path):
    (tmp_path / "file").touch()  # where a folder should be made
    found = peers.measure(peers.SMALL, ["pyod"], tmp_path / "file")
    assert "pyod was not installed: no environment" in found["pyod"]["why"]
    assert environment_of("pyod", tmp_path / "file").python is None
    assert peers.ratios(found) == []
    row = peers.table(found).splitlines()[-1]
    assert row.startswith("| PyOD, `EmbeddingOD.for_image` |  |  |  |  |  |  | pyod was not")
    assert str(tmp_path) not in row  # no folder of the machine


def test_why_a_library_failed_is_told_without_addresses_and_folders():
    said = "Looking at https://a.b/simple\nERROR: no wheel at http://a.b/c in /one/x\nbye\n"
    assert reason(said) == "ERROR: no wheel at ... in ..."
    assert reason("one\ntwo\n") == "two"
    assert reason("") == "no word"


def test_searches_learn_from_photographs_alone_and_ask_for_each_once():
    photographs, generated = [f"p{i:02d}" for i in range(20)], [f"g{i}" for i in range(5)]
    X, y, splits = pairs(peers._folds(photographs, generated, 5))
    assert sorted(X) == sorted(photographs + generated)
    assert all((y[train] == 1).all() and len(train) == 16 for train, _ in splits)
    asked = np.concatenate([test for _, test in splits])
    assert sorted(asked) == list(range(25))
    assert all(not set(train) & set(test) for train, test in splits)
    assert all((y[test] == -1).sum() == 1 for _, test in splits)


def test_libraries_are_told_by_ratios_to_ours_and_by_false_alarms():
    took = {"seconds": 9.0, "cpu_seconds": 2.0, "peak_mb": 800.4}
    found = {
        "ours": {"fit": took, "search": took, "false_alarms": {"": [0.06, 0.01, 0.04]}},
        "sklearn": {"fit": took | {"cpu_seconds": 5.0}, "false_alarms": {"A": [0.1], "B": [0.2]}},
        "imgad": {"fit": took, "why": "search ended with 1: ValueError"},
    }
    (value,) = {line.value for line in peers.ratios(found) if "scikit" in line.what}
    assert value == 2.5
    ours, theirs, failed = peers.table(found).splitlines()[2:]
    assert "| 1 (2 s) |  | 1 (2 s) | 800 |  | 800 | 4.0 % [1.0, 6.0] |" in ours
    assert "| 2.5 |  |  | 800 |  |  | A 10.0 % [10.0, 10.0]; B 20.0 % [20.0, 20.0] |" in theirs
    assert failed.endswith("| search ended with 1: ValueError |")
