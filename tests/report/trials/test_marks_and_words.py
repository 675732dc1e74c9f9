"""Trials as points, crosses and words."""

import pytest

from keras_trainkit.report.drawing.specification import decode
from keras_trainkit.report.trials.marks import failures, points, strip_axis
from keras_trainkit.report.trials.results import Axis, SearchResults, Stage, Trial
from keras_trainkit.report.trials.words import hover, score_of, written


def results_of(trials, stages=("one",), maximised=False):
    return SearchResults(
        "val_<loss>",
        maximised,
        (Axis("rate", 0.0, 1.0),),
        trials,
        [*map(Stage, stages)],
    )


@pytest.mark.parametrize(
    ("trial", "words"),
    [
        (Trial("a", {}, 0.123456), "0.1235"),
        (Trial("a", {}, 0.0), "0"),
        (Trial("a", {}, None, "failed"), "failed"),
        (Trial("a", {}, None, "running"), "running"),
    ],
    ids=lambda part: part if isinstance(part, str) else None,
)
def test_a_score_has_four_digits_or_is_how_the_trial_ended(trial, words):
    assert score_of(trial) == words


def test_values_have_three_digits_names_and_counts_all():
    values = [0.123456, 1234567, "a name", False]
    assert [*map(written, values)] == ["0.123", "1234567", "a name", "False"]


def test_the_pointer_is_told_name_score_stage_and_twelve_values():
    trial = Trial("7", {f"h{place}": place for place in range(14)}, 0.5, stage=1)
    assert hover(results_of([trial]), Trial("<7>", {}, 0.5)).split("<br>") == [
        "<b>trial &lt;7&gt;</b>",
        "val_&lt;loss&gt;: 0.5",
    ]
    lines = hover(results_of([trial], ("one", "two")), trial).split("<br>")
    assert lines[2] == "two"
    assert lines[3:] == [f"h{place}: {place}" for place in range(12)]


def test_points_are_a_trace_a_stage_and_the_ten_best_are_ringed():
    trials = [
        Trial(str(place), {"rate": place / 8}, float(place), stage=place % 2)
        for place in range(12)
    ]
    trials.append(Trial("x", {"rate": 2.0}, None, "failed"))
    first, second, best = points(
        results_of(trials, ("one", "two", "empty"), maximised=True),
        lambda trial: trial.values["rate"],
    )
    assert (first["name"], second["name"]) == ("one", "two")
    assert decode(first["y"]).tolist() == [10, 8, 6, 4, 2, 0]
    assert decode(second["x"]).tolist() == [place / 8 for place in (11, 9, 7, 5, 3, 1)]
    assert best["name"] == "the best 10"
    assert decode(best["y"]).tolist() == list(range(11, 1, -1))


def test_failed_trials_are_crosses_inside_the_strip_of_their_own():
    trial = Trial("x", {"kind": "<b>"}, None, "failed")
    (cross,) = failures(results_of([trial]), lambda one: one.values["kind"])
    assert cross["x"] == ["<b>"]
    assert "failed" in cross["text"][0]
    strip = strip_axis()
    low, high = strip["range"]
    assert low < cross["y"][0] < high
    assert strip["tickvals"] == cross["y"]
    assert strip["ticktext"] == [cross["name"]]
    assert failures(results_of([]), lambda one: 0) == []
