"""What every check promises, whichever is added."""

import sys

import pytest

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.preflight.checks import CHECKS
from keras_trainkit.preflight.subject import Subject
from tests.preflight.models import classifier, digits

ROOM = sys.modules["keras_trainkit.preflight"]
NAMES = [name for name in ROOM.__all__ if name.startswith("check_")]


def test_every_public_check_is_run_by_preflight():
    assert {getattr(ROOM, name) for name in NAMES} == set(CHECKS.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_check_judges_a_healthy_model_and_changes_nothing(name):
    model = classifier()
    before = [v.numpy().tobytes() for v in model.variables]
    x, y = digits(200)
    check = getattr(ROOM, name)
    verdict = check(Subject(model, x, y))
    assert isinstance(verdict, Verdict)
    assert CHECKS[verdict.name] is check
    assert verdict.status in ("pass", "not judged"), verdict
    assert verdict.why
    assert [v.numpy().tobytes() for v in model.variables] == before


@pytest.mark.parametrize("name", NAMES)
def test_a_check_lives_in_its_own_file_and_says_what_it_takes(name):
    check = getattr(ROOM, name)
    module = sys.modules[check.__module__]
    own = [
        one
        for one, value in vars(module).items()
        if one.startswith("check_") and value.__module__ == module.__name__
    ]
    assert own == [name]
    assert "Args:" in check.__doc__


def test_an_outcome_takes_the_status_of_its_gravest_finding():
    error = Finding(
        "wrong", severity="error", advice="mend it", code="wrong", category="data"
    )
    warning = Finding("odd", code="odd", category="data")
    info = Finding("so it is", severity="info", code="so", category="data")
    assert judged("labels", "fine").status == "pass"
    assert judged("labels", "fine", [info]).status == "pass"
    assert judged("labels", "fine", [info, warning]).status == "warn"
    verdict = judged("labels", "fine", [info, warning, error])
    assert (verdict.status, verdict.why, verdict.advice) == ("fail", "wrong", "mend it")
    assert not_judged("labels", "none").status == "not judged"
    with pytest.raises(ValueError, match="`status` must be one of"):
        Verdict("labels", "good", "")
