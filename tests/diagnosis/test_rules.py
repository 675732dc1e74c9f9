"""What every rule promises; newcomers join through the list of rules."""

import dataclasses

import numpy as np
import pytest

from keras_trainkit.diagnosis import RULES
from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import ask
from keras_trainkit.finding import CATEGORIES
from keras_trainkit.record import TrainingRecord
from tests.diagnosis.planted import HEALTHY, PLANTED, run

by_code = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)


@by_code
def test_rule_fires_on_its_planted_record(rule):
    verdict = ask(rule, Course(PLANTED[rule.code]()))
    assert [finding.code for finding in verdict.findings] == [rule.code]
    finding = verdict.findings[0]
    # Targets that hold much noise look like a model that is too small.
    expected = ("info",) if rule.code == "underfitting" else ("warning", "error")
    assert finding.severity in expected
    assert finding.evidence
    assert finding.advice
    for value in finding.evidence.values():
        assert not isinstance(value, np.generic)  # of NumPy's: JSON refuses them


@by_code
@pytest.mark.parametrize("name", HEALTHY)
def test_rule_is_silent_on_healthy_records(rule, name):
    verdict = ask(rule, Course(HEALTHY[name]()))
    assert verdict.status in ("pass", "not judged"), verdict


@by_code
def test_rule_does_not_judge_without_its_measures(rule):
    assert rule.needs
    verdict = ask(rule, Course(TrainingRecord()))
    assert verdict.status == "not judged"
    assert verdict.why.startswith("not measured: ")


@by_code
def test_rule_judges_a_run_of_any_length(rule):
    """Live pages ask after every epoch, also after a first one of a single step."""
    whole = PLANTED[rule.code]()
    for steps in (1, 2, 5, 11, 40):
        record = TrainingRecord()
        record.metadata.update(whole.metadata)
        for series in whole.series:
            places, epochs, values = whole.values(*series)
            few = places < max(steps, 1)
            if series.measure in ("val_loss", "trivial_loss") and not few.any():
                few = places == places[0]
            if few.any():
                record.append([series], places[few], epochs[few], values[few, None])
        assert ask(rule, Course(record)).name == rule.code


@by_code
def test_rule_says_what_it_is(rule):
    assert rule.category in CATEGORIES
    assert type(rule).__doc__
    known = {other.code for other in RULES}
    assert set(rule.explains) <= known
    for field in dataclasses.fields(rule):
        assert field.name in type(rule).__doc__ or field.name in ("left",)


def test_causes_never_go_round_in_a_circle():
    explains = {rule.code: set(rule.explains) for rule in RULES}

    def reached(code, path=()):
        assert code not in path, [*path, code]
        for other in explains[code]:
            reached(other, (*path, code))

    for code in explains:
        reached(code)


@pytest.mark.parametrize("epochs", [slice(None), slice(3, None)], ids=["all", "later"])
def test_predictions_that_are_nan_are_not_taken_for_out_of_range(epochs):
    bounds = {"prediction_low": np.full(10, 0.1), "prediction_high": np.full(10, 0.9)}
    for values in bounds.values():
        values[epochs] = np.nan
    (rule,) = (one for one in RULES if one.code == "output_not_probabilities")
    assert not ask(rule, Course(run(**bounds))).findings


@pytest.mark.parametrize(("steady", "found"), [(True, 0), (False, 1)])
def test_batches_that_swing_by_what_they_hold_are_no_fault_of_the_rate(steady, found):
    random = np.random.default_rng(0)
    losses = np.concatenate([np.linspace(2.6, 2.3, 30), np.full(270, 2.2)])
    losses *= 1 + 0.25 * random.normal(size=len(losses))
    examples = 2.2 * (1 + (0.005 if steady else 0.2) * random.normal(size=10))
    (rule,) = (one for one in RULES if one.code == "rate_too_high")
    course = Course(run(losses, example_loss=examples))
    assert len(ask(rule, course).findings) == found


@pytest.mark.parametrize(("left", "severity"), [(0.85, "warning"), (0.5, "error")])
def test_labels_are_no_error_where_hardly_anything_is_learnt(left, severity):
    (rule,) = (one for one in RULES if one.code == "labels_of_others")
    record = run(
        example_loss=np.linspace(2.3, 2.3 * left, 10), val_loss=np.full(10, 2.32)
    )
    (finding,) = ask(rule, Course(record)).findings
    assert finding.severity == severity


def test_examples_that_weigh_differently_say_little_of_what_was_learnt():
    assert Course(run(example_loss=2.0)).share_left > 0.8
    weighted = run(example_loss=2.0, task={"weighted": True})
    assert np.isnan(Course(weighted).share_left)
