"""Real processes, really killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from keras_trainkit.search import trials_frame

from .conftest import TUNERS

SCRIPT = str(Path(__file__).with_name("script.py"))
ROOT = str(Path(__file__).parents[2])
KILLS = 20
SLOW, LONG = pytest.mark.slow, pytest.mark.long
COLUMNS = ["trial", "status", "score", "best_epoch", "rate", "units", "history"]


def frame_of(place):
    return trials_frame(place / "p", histories=True)


def python(*words, **environment):
    return subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
        env=with_package(environment),
    )


def with_package(environment):
    return {**os.environ, "PYTHONPATH": ROOT, **environment}


def launching(*words, workers=2):
    command = ["-m", "keras_trainkit", "search", SCRIPT, "--workers", workers, "--"]
    return [str(word) for word in (*command, *words)]


def launch(*words, workers=2, **environment):
    return python(*launching(*words, workers=workers), **environment)


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        pytest.param("random", ["trial:000002", "write:3"], marks=SLOW),
        pytest.param("grid", ["write:12", "trial:000003"], marks=LONG),
        pytest.param("hyperband", ["trial:000003"], marks=LONG),
        pytest.param("bayesian", ["write:14"], marks=LONG),
    ],
)
def test_search_ended_by_sigkill_goes_on_as_if_it_had_not_been(kind, ends, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    cut.mkdir()
    assert python(SCRIPT, kind, whole, 4).returncode == 0
    for end in ends:
        assert python(SCRIPT, kind, cut, 4, end).returncode == -signal.SIGKILL
    ended = python(SCRIPT, kind, cut, 4)
    assert ended.returncode == 0, ended.stderr
    one, two = (frame_of(place)[COLUMNS] for place in (whole, cut))
    assert one.to_dict() == two.to_dict()


@pytest.mark.long
@pytest.mark.parametrize("kind", TUNERS)
def test_search_killed_again_and_again_is_the_one_never_killed(kind, tmp_path):
    ended = python("-m", "tests.search.forked", kind, tmp_path, KILLS)
    assert ended.returncode == 0, ended.stderr
    # The others came too late.
    assert int(ended.stdout.split()[1]) >= max(1, KILLS // 2 - 1)
    one, two = (frame_of(tmp_path / name) for name in ("whole", "cut"))
    assert one[COLUMNS].to_dict() == two[COLUMNS].to_dict()
    assert len(one)


@pytest.mark.slow
def test_trial_of_a_worker_ended_by_sigkill_is_run_by_another(tmp_path):
    ended = launch("random", tmp_path, 6, "trial:000002")
    assert ended.returncode == 0, ended.stderr
    died = (tmp_path / "died").read_text()
    assert f"{died} was ended by SIGKILL" in ended.stdout
    frame = frame_of(tmp_path)
    assert frame.status.tolist() == ["COMPLETED"] * 6
    # And it is the search that one process alone would have made.
    alone = tmp_path / "alone"
    python(SCRIPT, "random", alone, 6)
    assert frame[COLUMNS].to_dict() == frame_of(alone)[COLUMNS].to_dict()


@pytest.mark.slow
def test_failures_end_chief_and_workers_with_the_reason(tmp_path):
    ended = launch("random", tmp_path, 6, "fail")
    assert ended.returncode == 1
    assert "3 trials in a row failed" in ended.stderr
    assert "a mistake in the model" in ended.stderr
    assert "error: The search ended early: the chief ended with status 1" in (
        ended.stderr
    )


@pytest.mark.slow
def test_chief_ends_when_its_only_worker_is_gone(tmp_path):
    ended = launch(
        "random", tmp_path, 6, "trial:000001", workers=1, KERAS_TRAINKIT_SILENCE="2"
    )
    assert ended.returncode == 1
    assert "All workers are gone (worker-0: was ended by SIGKILL)" in ended.stderr
    again = launch("random", tmp_path, 6, workers=1)
    assert again.returncode == 0, again.stderr
    assert len(trials_frame(tmp_path / "p")) == 6


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, marks=SLOW),
        pytest.param(signal.SIGTERM, marks=LONG),
    ],
)
def test_interrupt_ends_all_processes_and_the_search_goes_on(number, tmp_path):
    words = launching("random", tmp_path, 4)
    with subprocess.Popen(
        [sys.executable, *words],
        stderr=subprocess.PIPE,
        text=True,
        env=with_package({}),
    ) as process:
        for line in process.stderr:
            if line.endswith("training\n"):
                break
        process.send_signal(number)
        told = process.stderr.read()  # ends when nobody holds the pipe any more
        assert process.wait() == 1
    assert "The search was interrupted" in told
    again = launch("random", tmp_path, 4)
    assert again.returncode == 0, again.stderr
    assert trials_frame(tmp_path / "p").status.tolist() == ["COMPLETED"] * 4
