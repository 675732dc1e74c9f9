"""What a result says: rates, sensitivity, and what a change broke."""

import pandas as pd
import pytest

import keras_trainkit as tk
from keras_trainkit.testbed.result import Result


@pytest.fixture(scope="module")
def result():
    problems = tk.testbed.problems(["abs", "line"], noise=["none", "additive 0.1"])
    return tk.testbed.compare(
        {"one": tk.optimizers.SGD, "other": "adam"},
        [1e-3, 1e-1, 1.0],
        problems,
        seeds=4,
        steps=30,
        verbose=False,
    )


def made(passes, rates=None):
    """A result with these verdicts, one list an optimizer."""
    return Result(
        pd.DataFrame(
            [
                {
                    "optimizer": name,
                    "rule": name[0],
                    "rate": (rates or {}).get(name, 0.1),
                    "test": f"test {index}",
                    "family": "1-D kinked",
                    "grade": "good" if passed else "poor",
                    "verdict": "pass" if passed else "fail",
                    "progress": 1.0 * passed,
                    "reason": "" if passed else "came nowhere",
                }
                for name, verdicts in passes.items()
                for index, passed in enumerate(verdicts)
            ]
        )
    )


def test_frame_has_a_row_an_optimizer_and_a_test(result):
    frame = result.to_frame()
    assert len(frame) == 6 * frame["test"].nunique()
    assert set(frame["verdict"]) <= {"pass", "fail"}
    assert (
        frame["verdict"].eq("pass").equals(frame["grade"].isin(["good", "far better"]))
    )
    assert frame["reason"].eq("").equals(frame["verdict"].eq("pass"))
    frame["verdict"] = "pass"
    assert not result.to_frame()["verdict"].eq("pass").all()


def test_pass_rates_are_means_of_the_frame(result):
    frame = result.to_frame()
    passed = frame["verdict"].eq("pass")
    rates = result.pass_rates()
    assert list(rates.index) == result.optimizers
    for name, rate in rates["pass_rate"].items():
        assert rate == passed[frame["optimizer"].eq(name)].mean()
    grades = rates.drop(columns="pass_rate")
    assert grades.sum(axis=1).tolist() == pytest.approx([1] * 6)
    by_shape = result.pass_rates("shape")
    assert list(by_shape.columns) == ["line", "abs"]
    one = frame["optimizer"].eq("one at 0.1") & frame["shape"].eq("abs")
    assert by_shape.loc["one at 0.1", "abs"] == passed[one].mean()
    with pytest.raises(ValueError, match="`by` must be one of 'family'"):
        result.pass_rates("optimizer")


def test_sensitivity_sums_up_the_rates_of_a_rule():
    rates = {"a1": 0.001, "a2": 0.01, "a3": 0.1, "b1": 0.001, "b2": 0.01}
    table = made(
        {
            "a1": [1, 0, 0, 0],
            "a2": [1, 1, 1, 0],
            "a3": [0, 1, 1, 1],
            "b1": [0, 0, 0, 0],
            "b2": [1, 1, 1, 1],
        },
        rates,
    ).sensitivity()
    assert table.loc["a", ["configurations", "best", "median", "some"]].tolist() == [
        3,
        0.75,
        0.75,
        1.0,
    ]
    assert table["decades"].tolist() == pytest.approx([1.0, 0.0])
    assert table.loc["b", "best_rate"] == 0.01


def test_changes_tell_what_broke():
    before = made({"x": [1, 1, 0, 0], "y": [1, 1, 1, 1]})
    after = made({"x": [1, 0, 1, 0], "y": [1, 1, 1, 0], "z": [0, 0, 0, 0]})
    changes = after.changes_from(before)
    assert changes[["optimizer", "test", "changed"]].to_numpy().tolist() == [
        ["x", "test 1", "broken"],
        ["y", "test 3", "broken"],
        ["x", "test 2", "mended"],
    ]
    assert changes["reason"].tolist() == ["came nowhere", "came nowhere", ""]


def test_two_single_optimizers_are_paired_whatever_their_names():
    changes = made({"new": [1, 0]}).changes_from(made({"old": [1, 1]}))
    assert changes["test"].tolist() == ["test 1"]


def test_changes_need_something_in_common():
    with pytest.raises(ValueError, match="no optimizer and test in common"):
        made({"a": [1], "b": [1]}).changes_from(made({"c": [1], "d": [1]}))
    with pytest.raises(ValueError, match="`before` must be a Result"):
        made({"a": [1]}).changes_from("yesterday")


def test_printed_result_says_the_rates(result):
    text = repr(result)
    assert "one at 0.1" in text
    assert f"{result.pass_rates()['pass_rate'].iloc[0]:.3f}" in text
