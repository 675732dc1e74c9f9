import pytest

from keras_trainkit.finding import Finding
from keras_trainkit.record import Readings, TrainingRecord
from keras_trainkit.report.verdict import decide, unfinished
from tests.report.records import empty_record, full_record


def found(severity, message="It is so.", where=""):
    return Finding(message, where, severity, code="fault", category="data")


@pytest.mark.parametrize(
    ("findings", "state", "words"),
    [
        (None, "", "Not diagnosed"),
        ([], "good", "No fault found"),
        ([found("info")], "good", "No fault found"),
        ([found("info"), found("warning")], "warning", "Worth a look"),
        ([found("warning"), found("error")], "bad", "Something is wrong"),
    ],
)
def test_verdict_is_that_of_the_gravest_finding(findings, state, words):
    verdict = decide(Readings(full_record(layers=1)), findings, live=False)
    assert (verdict.state, verdict.words) == (state, words)


def test_verdict_says_what_is_worst_and_how_much_more_there_is():
    findings = [found("info"), found("error", "Units are dead.", "dense")]
    note = decide(Readings(full_record(layers=1)), findings, live=False).note
    assert note == "dense: Units are dead. 1 more below."


@pytest.mark.parametrize(
    ("status", "live", "state", "words"),
    [
        ("finished", False, "good", "No fault found"),
        ("running", True, "good", "No fault found"),
        ("running", False, "warning", "No fault found, but the run did not finish"),
        (
            "interrupted",
            False,
            "warning",
            "No fault found, but the run was interrupted",
        ),
    ],
)
def test_verdict_of_a_run_that_broke_off_says_so(status, live, state, words):
    record = full_record(layers=1)
    record.metadata["status"] = status
    assert decide(Readings(record), [], live)[::2] == (words, state)


def test_verdict_of_a_few_steps_is_none():
    assert decide(Readings(empty_record()), [], True).state == ""
    record = TrainingRecord()
    record.add("loss", 1.0, step=0, epoch=0)
    assert decide(Readings(record), [], True).words == "Too early to say"


@pytest.mark.parametrize(
    ("metadata", "live", "words"),
    [
        ({"status": "running"}, False, "the run did not finish"),
        ({"status": "interrupted"}, False, "the run was interrupted"),
        ({"status": "running"}, True, ""),
        ({"status": "interrupted"}, True, ""),
        ({"status": "finished"}, False, ""),
        ({"status": ["running"]}, False, ""),
        ({}, False, ""),
    ],
    ids=str,
)
def test_only_a_run_that_broke_off_is_unfinished(metadata, live, words):
    assert unfinished(metadata, live) == words
