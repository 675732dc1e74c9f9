import datetime

import pytest

from keras_trainkit.record import Readings, TrainingRecord
from keras_trainkit.report.progress import duration, moment, progress_of


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0123, "12.3 ms"),
        (5.25, "5.2 s"),
        (12.4, "12 s"),
        (59.4, "59 s"),
        (59.7, "1 min 0 s"),
        (75, "1 min 15 s"),
        (3600, "1 h 0 min"),
        (86399, "23 h 59 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_durations_are_said_in_two_units(seconds, words):
    assert duration(seconds) == words


def test_moments_are_read_from_any_stamp():
    expected = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    for stamp in ("2026-01-02T03:04:05", "2026-01-02T03:04:05+00:00", 1767323045.0):
        assert moment(stamp) == expected
    for stamp in (None, "", "yesterday", True, 1e300, {}):
        assert moment(stamp) is None


def test_time_left_counts_the_fit_that_goes_on():
    record = TrainingRecord()
    record.metadata["epochs"] = 5
    record.metadata["started"] = "2026-01-01T00:00:00"
    for fit in range(2):
        started = f"2026-01-01T0{fit}:00:00"
        begun = record.begin_fit(started=started)
        for epoch in range(5 if fit == 0 else 2):
            place = {"step": 10 * (begun.epoch + epoch), "epoch": begun.epoch + epoch}
            record.add("epoch_loss", 1.0, **place)
    record.metadata["updated"] = "2026-01-01T01:10:00"
    progress = progress_of(Readings(record))
    assert (progress.epochs, progress.planned) == (7, 10)
    assert progress.seconds == 4200.0
    assert progress.seconds_left == 900.0
