"""The same faults of the columns are said alike everywhere; reports become plain data alike."""

import json
import tracemalloc

import numpy as np
import pytest

from sklearn_blades.evaluation import (
    GeneratorReport,
    RocByGeneratorDisplay,
    ScoreDisplay,
    evaluate_by_generator,
    report_by_generator,
)
from sklearn_blades.evaluation.labels import Labels, numbered_groups
from sklearn_blades.evaluation.statistics import Estimate
from sklearn_blades.evaluation.table import latex_escaped, plain

RNG = np.random.default_rng(0)
SCORES, Y = RNG.normal(size=80), np.repeat([1, 0], 40)
GENERATOR = np.repeat([None, "a", "b"], [40, 20, 20])
JUDGES = {
    "report": lambda y, g: report_by_generator(SCORES, SCORES < 0, y, g, n_bootstrap=40),
    "scores": lambda y, g: ScoreDisplay.from_predictions(SCORES, y, generator=g),
    "roc": lambda y, g: RocByGeneratorDisplay.from_predictions(SCORES, y, generator=g),
}


@pytest.mark.parametrize("judge", JUDGES)
def test_the_same_faults_are_said_in_the_same_words(judge):
    missing = [np.nan, *Y[1:]]
    for y, generator, message in (
        (missing, GENERATOR, r"y has missing entries \(1 of 80, first: row 0\)"),
        (Y[:5], GENERATOR, "y has 5 rows, and there are 80"),
        (np.zeros(80), GENERATOR, "no photograph in y: photographic_label=1"),
        (Y, np.repeat([None, "a"], [41, 39]), r"1 AI-generated rows \(first: 40\)"),
        (Y, np.repeat("a", 80), "generator='a' is on photographs and on AI-generated rows"),
        (Y, np.where(Y == 1, None, "photographs"), "cannot be called 'photographs'"),
        (Y, "a", "generator is 'a': give one entry a row, 80 of them"),
        (None, GENERATOR, "y is None: give one entry a row"),
    ):
        with pytest.raises(ValueError, match=message):
            JUDGES[judge](y, generator)


def test_a_missing_column_of_generators_is_named():
    with pytest.raises(ValueError, match="generator is None: name the generator of every"):
        evaluate_by_generator(None, np.zeros((80, 1)), Y, generator=None)


def test_labels_number_generators_as_they_come():
    labels = Labels.of(80, Y, generator=GENERATOR, groups=np.arange(80) // 2)
    assert labels.generators == ("a", "b")
    np.testing.assert_array_equal(np.bincount(labels.sets), [40, 20, 20])
    assert labels.groups.max() == 39
    assert Labels.of(80, Y).generators == ("generated",)


def test_groups_are_numbered_in_bounded_memory():
    groups = ["x" * 20_000, *(f"person {row}" for row in range(19_999))]
    tracemalloc.start()
    try:
        numbers = numbered_groups(groups, 20_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(set(numbers.tolist())) == 20_000
    assert peak < 50e6  # as an array of words: 1.6 GB
    mixed = numbered_groups([3, "b", 3, "a"], 4)
    np.testing.assert_array_equal(mixed, [0, 2, 0, 1])


def test_json_knows_no_nan_and_a_report_comes_back():
    report = JUDGES["report"](Y, GENERATOR)
    table = report.to_dict()
    table["rows"][0]["auc"] = [float("nan")] * 3
    text = GeneratorReport.from_dict(table).to_json()
    assert json.loads(text)["rows"][0]["auc"] == [None] * 3
    assert np.isnan(GeneratorReport.from_json(text)["a"].auc).all()
    assert GeneratorReport.from_json(report.to_json()) == report
    assert plain({"a": (np.float64(1), np.nan, None, b"?")}) == {"a": [1.0, None, None, "b'?'"]}


def test_intervals_do_not_depend_on_when_they_are_made():
    assert JUDGES["report"](Y, GENERATOR) == JUDGES["report"](Y, GENERATOR)
    assert isinstance(JUDGES["report"](Y, GENERATOR).average.auc, Estimate)


def test_latex_has_the_figures_of_the_markdown_and_no_name_is_a_command():
    names = ["sd_2.1 & 50 %", "[x] $a^2$ {b}", "*star|~\\n"]
    y, generator = np.repeat([1, 0], [20, 60]), np.repeat([None, *names], 20)
    report = JUDGES["report"](y, generator)
    columns = ["auc", "tpr"]
    lines = report.to_latex(columns).splitlines()
    assert lines[:4] == [
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"generator & AUC (\%) & TPR (\%) \\",
        r"\midrule",
    ]
    assert lines[-2:] == [r"\bottomrule", r"\end{tabular}"]
    starts = (
        r"sd\_2.1 \& 50 \% & ",
        r"{}[x] \$a\textasciicircum{}2\$ \{b\} & ",
        r"{}*star\textbar{}\textasciitilde{}\textbackslash{}n & ",
        "average & ",
    )
    shown = report.to_markdown(columns, legend=False).splitlines()[2:]
    for line, start, markdown in zip(lines[4:-2], starts, shown, strict=True):
        assert line.startswith(start)
        assert line.endswith(r" \\")
        figures = markdown.rsplit(" | ", 2)[1:]
        assert line == rf"{start}{' & '.join(figures).removesuffix(' |')} \\"
        assert "[" in figures[0]
    assert "[" not in report.to_latex(columns, intervals=False).replace("{}[x]", "")
    whole = report.to_latex(columns, caption="5 % promised", label="tab:five")
    assert whole.startswith(
        "\\begin{table}\n\\centering\n\\caption{5 \\% promised}\n\\label{tab:five}\n"
    )
    assert whole.endswith(r"\end{table}")
    with pytest.raises(ValueError, match="no figure 'ap'; choose from n_photographs"):
        report.to_latex(["ap"])


def test_latex_knows_its_own_characters_only():
    assert latex_escaped("a-b (c) 'd' é") == "a-b (c) 'd' é"
    assert latex_escaped("a\nb<c>") == r"a b\textless{}c\textgreater{}"
