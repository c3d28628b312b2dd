"""What stands in an exported file is checked, and an opened one travels."""

import json
import math
import pickle

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sklearn_blades import OnnxDetector
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.portable.sealed import FACTS, FORMAT, PRODUCER, is_exported, with_facts

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

SIDE = 8
SCORES = [float(score) for score in range(9, 29)]


def graph(producer=PRODUCER, side=SIDE):
    """A graph whose score of a face is its mean colour, from 0 to 255."""
    n, d = ["n"], ["n", 1]
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Cast", ["pixels"], ["as_float"], to=TensorProto.DOUBLE),
        helper.make_node("ReduceMean", ["as_float", "axes"], ["score"], keepdims=0),
        helper.make_node("Cast", ["score"], ["short"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["short", "one"], ["features"]),
    ]
    made = helper.make_graph(
        nodes,
        "colour",
        [value("pixels", TensorProto.UINT8, ["n", side, side, 3])],
        [value("features", TensorProto.FLOAT, d), value("score", TensorProto.DOUBLE, n)],
        [
            helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        ],
    )
    opset = [helper.make_opsetid("", 20)]
    model = helper.make_model(made, producer_name=producer, opset_imports=opset, ir_version=10)
    return model.SerializeToString()


def facts(**more):
    crop = {"face_locator": "whole", "face_margin": 1.3, "image_size": SIDE, "antialias": True}
    crop |= {"harmonise": None, "min_face_size": 0}
    return {
        "format": FORMAT,
        "digest": "0",
        "encoder": "BladesEncoder",
        "architecture": "none",
        "n_features": 1,
        "crop": crop,
        "head": "BladesOneClass",
        "target_fpr": 0.1,
        "confidence": None,
        "offset": 10.0,
        "calibration_scores": SCORES,
        "calibration_sources": None,
        "versions": {},
        **more,
    }


def written(tmp_path, model=None, **more):
    path = tmp_path / "detector.onnx"
    path.write_bytes(with_facts(graph() if model is None else model, facts(**more)))
    return path


def grey(*levels):
    return [np.full((20, 20, 3), level, dtype=np.uint8) for level in levels]


def test_facts_and_seal_are_onnxs_own_metadata(tmp_path):
    path = written(tmp_path)
    model = onnx.load(path)
    onnx.checker.check_model(model)
    found = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(found[FACTS]) == facts()
    assert found["sklearn_blades.sha256"] == OnnxDetector(path).digest_


def test_the_threshold_itself_is_not_flagged(tmp_path):
    asked = OnnxDetector(written(tmp_path))
    assert asked.score_samples(grey(9, 10, 200)).tolist() == [9.0, 10.0, 200.0]
    assert asked.predict(grey(9, 10, 200)).tolist() == [-1, 1, 1]
    assert asked.p_values(grey(9, 10, 200)).tolist() == [2 / 21, 3 / 21, 1.0]
    assert asked.decision_function(grey(9, 10)).tolist() == [-1.0, 0.0]


def test_of_several_sources_the_largest_p_value_counts(tmp_path):
    sources = {"a": SCORES, "b": [score - 5 for score in SCORES]}
    asked = OnnxDetector(written(tmp_path, calibration_sources=sources))
    assert asked.p_values(grey(9)).tolist() == [7 / 21]


def test_where_nothing_can_be_flagged_it_says_so_once(tmp_path):
    asked = OnnxDetector(written(tmp_path, offset=None, target_fpr=0.01))
    assert asked.offset_ == -math.inf
    with pytest.warns(SmallSampleWarning, match="20 calibration photographs cannot promise"):
        assert asked.predict(grey(0, 1)).tolist() == [1, 1]
    first, second = asked.decision_function(grey(0, 1))  # said once
    assert 0 < first < second


def test_it_travels_in_a_pickle_while_the_file_stays(tmp_path):
    path = written(tmp_path)
    asked = OnnxDetector(path, on_error="nan", n_jobs=2)
    bytes_of_it = pickle.dumps(asked)
    other = pickle.loads(bytes_of_it)
    assert (other.on_error, other.n_jobs) == ("nan", 2)
    assert other.score_samples(grey(7)).tolist() == [7.0]
    written(tmp_path, target_fpr=0.2)
    with pytest.raises(ValueError, match="is another file than it was"):
        pickle.loads(bytes_of_it)


def test_batches_and_threads_change_nothing(tmp_path, monkeypatch):
    from sklearn_blades.portable import batches

    asked = OnnxDetector(written(tmp_path), n_jobs=3)
    monkeypatch.setattr(batches, "BATCH", 4)
    assert asked.score_samples(grey(*range(30))).tolist() == [float(n) for n in range(30)]
    assert asked.score_samples([]).shape == (0,)


WRONG = {
    "crop": {"crop": {**facts()["crop"], "face_locator": "yunet:/somewhere/else.onnx"}},
    "calibration_scores": {"calibration_scores": SCORES[::-1]},
    "calibration_sources": {"calibration_sources": {"a": []}},
    "target_fpr": {"target_fpr": 1.5},
    "confidence": {"confidence": "0.9"},
    "n_features": {"n_features": True},
    "words": {"head": None},
}


@pytest.mark.parametrize("name", WRONG)
def test_facts_that_cannot_be_right(name, tmp_path):
    with pytest.raises(ValueError, match=f"its {name} cannot be right"):
        OnnxDetector(written(tmp_path, **WRONG[name]))


def test_a_newer_format(tmp_path):
    with pytest.raises(ValueError, match=r"newer sklearn_blades.*pip install -U sklearn-blades"):
        OnnxDetector(written(tmp_path, format=FORMAT + 1))


def test_graph_and_facts_that_contradict_each_other(tmp_path):
    with pytest.raises(ValueError, match="contradict each other"):
        OnnxDetector(written(tmp_path, graph(side=16)))


def test_an_onnx_file_of_something_else(tmp_path):
    path = tmp_path / "other.onnx"
    path.write_bytes(graph(producer="pytorch"))
    assert not is_exported(path)
    with pytest.raises(ValueError, match=r"an ONNX model, perhaps, but of something else.*export"):
        OnnxDetector(path)


def test_what_onnxruntime_cannot_run(tmp_path):
    model = onnx.load_from_string(graph())
    model.graph.node[0].op_type = "NotYetInvented"
    with pytest.raises(ValueError, match=r"onnxruntime .* cannot run it .*pip install -U"):
        OnnxDetector(written(tmp_path, model.SerializeToString()))


def test_on_error_is_checked(tmp_path):
    with pytest.raises(ValueError, match="use 'raise' or 'nan'"):
        OnnxDetector(written(tmp_path), on_error="warn")
