"""The paper's tests are all there, and can be asked for."""

import collections

import pytest

import keras_trainkit as tk
from keras_trainkit.testbed.catalogue import catalogue


def test_catalogue_has_the_tests_of_the_paper():
    everything = tk.testbed.problems(dimensions=None, drift=None)
    counts = collections.Counter(problem.dimensions for problem in everything)
    assert counts == {1: 3648, 2: 172, 10: 124}
    assert len({problem.name for problem in everything}) == 3944
    assert len(tk.testbed.problems()) == 912


def test_choice_narrows_by_every_argument():
    walls = tk.testbed.problems(["cliff", "ridge"], noise="none", scale="steep")
    names = [problem.name for problem in walls]
    assert names == ["cliff, steep, noise none", "ridge, steep, noise none"]
    drifting = tk.testbed.problems("abs", drift=["slope", "offset"])
    assert {problem.drifting.kind for problem in drifting} == {"slope", "offset"}
    several = tk.testbed.problems("cliff + 9 line", dimensions=10)
    assert {problem.dimensions for problem in several} == {10}


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (
            {"noise": "loud"},
            "`noise` must be one or several of 'none', 'additive",
        ),
        ({"shape": ["abs", "wall"]}, "Received: shape='wall'"),
        ({"dimensions": 3}, "one or several of 1, 2, 10"),
        ({"family": "hard"}, "'1-D kinked'"),
        ({"shape": "abs", "dimensions": 2}, "No test of the catalogue has all"),
    ],
)
def test_unknown_names_are_answered_with_the_known(choice, words):
    with pytest.raises(ValueError, match=words):
        tk.testbed.problems(**choice)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"noise": "loud"}, "`noise` must be a Noise or one of 'none'"),
        ({"scale": "huge"}, "`scale` must be a Scale or one of 'normal'"),
        ({"drift": "fast"}, "`drift` must be a Drift or one of 'none'"),
        ({"noise": ["none", "none"]}, "one for each of the 1 variables"),
        ({"rotated": True}, "`rotated` needs more than one variable"),
        ({"curled": 1}, "`curled` must be True or False"),
    ],
)
def test_bad_problem_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        tk.testbed.Problem("abs", **arguments)


def test_own_noise_scale_and_drift_are_told_by_name():
    problem = tk.testbed.Problem(
        ["abs", "abs", "line"],
        noise=tk.testbed.Noise("additive", 3.0),
        scale=tk.testbed.Scale("deep", slope=-2.0, begin=-1.0),
        drift=tk.testbed.Drift("offset", 0.5, every=5),
    )
    assert problem.name == "2 abs + line, deep, noise additive 3, drifting offset"
    assert problem.family == "3-D separable"
    assert problem not in catalogue()
