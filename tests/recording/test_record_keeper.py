"""A record survives whatever its file meets."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import warnings

import numpy as np
import pytest

from keras_trainkit.record import Series, TrainingRecord, record_file
from keras_trainkit.recording.record_keeper import RecordKeeper


class Run:
    """A record that grows and its keeper."""

    def __init__(self, path):
        self.record = TrainingRecord()
        self.keeper = RecordKeeper(str(path))
        self.steps = 0

    def save(self, steps=5):
        numbers = np.arange(self.steps, self.steps + steps)
        columns = [Series("loss"), Series("update_ratio", f"layer_{self.steps}")]
        self.record.append(
            columns, numbers, numbers, np.random.default_rng(0).random((steps, 2))
        )
        self.record.add_image("filters", self.steps, bytes(2000))
        self.record.metadata["status"] = f"after {self.steps}"
        self.steps += steps
        self.keeper.save(self.record)

    def assert_kept(self, path=None):
        stored = TrainingRecord.open(path or self.keeper.path)
        assert stored.to_frame().equals(self.record.to_frame())
        assert stored.images() == self.record.images()
        assert stored.metadata == self.record.metadata


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "run" / "record.sqlite")
    yield run
    run.keeper.close()


def test_what_is_saved_is_what_was_recorded(run):
    for _ in range(3):
        run.save()
        run.assert_kept()


def test_record_goes_on_after_it_was_closed(run):
    run.save()
    run.keeper.close()
    run.keeper.begin()
    run.save()
    run.assert_kept()


def test_record_is_gone_on_with_by_another_keeper(run):
    run.save()
    run.keeper.close()
    other = Run(run.keeper.path)
    other.record = other.keeper.resume()
    other.steps = run.steps
    other.save()
    other.assert_kept()
    assert len(other.record.values("loss")[0]) == 10
    other.keeper.close()


def test_another_record_at_the_place_is_put_aside(run):
    run.save()
    run.keeper.close()
    other = Run(run.keeper.path)
    other.keeper.put_aside()
    other.save()
    other.assert_kept()
    run.assert_kept(run.keeper.path.replace("record.", "record.1."))
    other.keeper.close()


def test_size_limit_is_warned_of_once_and_survived(run):
    run.save()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))
    try:
        with pytest.warns(UserWarning, match="cannot be written"):
            run.save(3000)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    run.save()
    run.assert_kept()


def test_lock_of_another_process_is_survived(run, monkeypatch):
    run.save()
    monkeypatch.setattr(record_file, "_PATIENCE", 0.01)
    run.keeper.close()
    run.keeper.begin()
    other = sqlite3.connect(run.keeper.path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.warns(UserWarning, match="locked"):
        run.save()
    run.save()
    other.rollback()
    other.close()
    run.save()
    run.assert_kept()


@pytest.mark.parametrize("what", ["directory", "file", "both_moved"])
def test_what_vanished_is_written_anew_from_the_beginning(run, what):
    run.save()
    directory = os.path.dirname(run.keeper.path)
    if what == "directory":
        shutil.rmtree(directory)
    elif what == "file":
        os.remove(run.keeper.path)
    else:
        os.rename(directory, f"{directory}_moved")
    with pytest.warns(UserWarning, match="moved or deleted"):
        run.save()
    run.save()
    run.assert_kept()


def test_place_taken_by_a_file_is_survived(run):
    run.save()
    directory = os.path.dirname(run.keeper.path)
    shutil.rmtree(directory)
    with open(directory, "w") as file:
        file.write("in the way")
    with pytest.warns(UserWarning, match="in memory"):
        run.save()
    os.remove(directory)
    run.save()
    run.assert_kept()


def test_full_disk_is_survived(run, monkeypatch):
    real = run.keeper._write

    def full(record, file):
        real(record, file)
        raise OSError(28, "No space left on device")

    run.save()
    monkeypatch.setattr(run.keeper, "_write", full)
    with pytest.warns(UserWarning, match="No space left"):
        run.save()
    monkeypatch.undo()
    run.save()
    run.assert_kept()


def test_directory_of_another_process_is_refused(tmp_path):
    script = (
        "import fcntl, sys; file = open(sys.argv[1], 'a+'); "
        "fcntl.flock(file, fcntl.LOCK_EX); file.write('process 7'); file.flush(); "
        "print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / ".record.lock")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as holder:
        holder.stdout.readline()
        with pytest.raises(ValueError, match="in use by another run: process 7 keeps"):
            RecordKeeper(str(tmp_path / "record.sqlite"))
        holder.kill()  # the lock ends with the process, however that ends
    Run(tmp_path / "record.sqlite").keeper.close()


def test_trouble_at_random_times_loses_nothing(run, monkeypatch):
    monkeypatch.setattr(record_file, "_PATIENCE", 0.01)
    random = np.random.default_rng(0)
    directory = os.path.dirname(run.keeper.path)
    blocker = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(60):
            match random.integers(6):
                case 0:
                    shutil.rmtree(directory, ignore_errors=True)
                case 1 if blocker is None and os.path.exists(run.keeper.path):
                    blocker = sqlite3.connect(run.keeper.path, timeout=0.01)
                    try:
                        blocker.execute("BEGIN IMMEDIATE")
                    except sqlite3.Error:
                        blocker.close()
                        blocker = None
                case 2:
                    run.keeper.close()
                    run.keeper.begin()
                case 3 if blocker is not None:
                    blocker.close()
                    blocker = None
            run.save(int(random.integers(1, 9)))
        if blocker is not None:
            blocker.close()
        run.save()
    run.assert_kept()
