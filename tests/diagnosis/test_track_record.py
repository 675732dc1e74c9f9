import numpy as np
import pytest
from scipy import stats

from keras_trainkit.diagnosis import RULES, Course, track_record
from keras_trainkit.diagnosis.track_record import PRIOR_WEIGHT, confidence_of
from tests.diagnosis.planted import PLANTED


def test_every_rule_was_counted_and_none_is_sure():
    assert set(track_record.COUNTS) == {rule.code for rule in RULES}
    for code, (right, alarms) in track_record.COUNTS.items():
        assert 0 <= right <= alarms
        assert 0.0 < confidence_of(code) < 1.0


def test_confidence_is_the_mean_of_what_is_believed_after_the_counts(monkeypatch):
    monkeypatch.setattr(
        track_record, "COUNTS", {"often": (18, 20), "once": (1, 1), "never": (0, 0)}
    )
    average = 20 / 23
    for code, (right, alarms) in track_record.COUNTS.items():
        believed = stats.beta(
            PRIOR_WEIGHT * average + right,
            PRIOR_WEIGHT * (1 - average) + alarms - right,
        )
        assert confidence_of(code) == pytest.approx(believed.mean(), abs=0.005)
    assert confidence_of("a_rule_of_mine") == track_record.UNKNOWN


def test_confidence_rises_with_what_was_right_and_never_by_one_alarm_to_one(
    monkeypatch,
):
    def confidences(alarms):
        found = []
        for right in range(alarms + 1):
            counts = {"rule": (right, alarms), "others": (80, 100)}
            monkeypatch.setattr(track_record, "COUNTS", counts)
            found.append(confidence_of("rule"))
        return np.array(found)

    assert (np.diff(confidences(10)) > 0).all()
    assert confidences(1)[-1] < 0.9
    assert confidences(1)[0] > 0.6


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_findings_bear_the_confidence_of_their_rule(rule):
    (finding,) = rule.judge(Course(PLANTED[rule.code]())).findings
    assert finding.confidence == confidence_of(rule.code)
