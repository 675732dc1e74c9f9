import io

import pytest

from keras_trainkit.search.engine.progress import Progress, last_line, told_time

from ..oracles import copy_of, make_oracle, score


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def shown(tmp_path, stream, **settings):
    clock = Clock()
    oracle = make_oracle("random", tmp_path, max_trials=3)
    progress = Progress(3, stream=stream, clock=clock, **settings)
    while (trial := oracle.create_trial("a")).status == "RUNNING":
        progress.update(oracle)
        trial = copy_of(trial)
        trial.status = "FAILED" if trial.trial_id == "000001" else "COMPLETED"
        if trial.status == "FAILED":
            trial.message = "Traceback:\nTraining diverged: loss is nan.\n"
        else:
            oracle.update_trial(trial.trial_id, {"val_loss": score(trial)})
        oracle.end_trial(trial)
        clock.now += 40.0
        progress.update(oracle)
        progress.update(oracle)
    progress.close(oracle)
    return stream.getvalue()


def test_log_gets_one_plain_line_a_trial(tmp_path):
    lines = shown(tmp_path, io.StringIO()).splitlines()
    failure = lines.pop(1)
    assert failure == "Trial 000001 failed. Training diverged: loss is nan."
    best, rate, units = lines[3:]
    assert best.startswith("Best trial 00000")
    assert rate.split()[0] == "rate"
    assert units.split()[0] == "units"
    del lines[3:]
    assert lines[0].startswith("1/3 trials, best val_loss ")
    assert lines[0].endswith("(trial 000000), about 1 min 20 s left")
    assert ", 1 failed, about 40 s left" in lines[1]
    assert "left" not in lines[2]
    assert "\r" not in "".join(lines)


def test_terminal_gets_a_bar_that_is_drawn_over(tmp_path):
    text = shown(tmp_path, Terminal())
    assert text.count("\n") == 5  # the failure, the end, the best trial
    assert "[######--------------] 1/3 trials" in text
    assert "[####################] 3/3 trials" in text


def test_nothing_is_shown_when_nothing_is_wanted(tmp_path):
    assert shown(tmp_path, io.StringIO(), show=False) == ""


def test_each_warning_is_told_once(tmp_path):
    text = shown(tmp_path, io.StringIO(), notes=lambda: ["rate: go lower"])
    assert text.count("rate: go lower\n") == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (59.4, "59 s"), (80, "1 min 20 s"), (7300, "2 h 1 min")],
)
def test_time_is_told_in_two_units(seconds, words):
    assert told_time(seconds) == words


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("Traceback:\n  File\nValueError: it is\n\n", "ValueError: it is"),
        ("one", "one"),
        ("", ""),
        (" \n ", ""),
        (None, ""),
    ],
)
def test_the_last_line_of_a_message_says_what_went_wrong(message, line):
    assert last_line(message) == line
