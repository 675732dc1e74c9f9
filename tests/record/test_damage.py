"""A damaged file never passes for a record, and gives back what is whole of it."""

import os
import shutil
import sqlite3
import traceback

import numpy as np
import pytest

from keras_trainkit.record import Series, TrainingRecord

PAGE = 4096


def write(path, killed=False):
    """A run of ten epochs, large enough for pages of every kind."""
    random = np.random.default_rng(0)
    record = TrainingRecord(path)
    columns = [Series("loss")] + [
        Series("update_ratio", f"dense_{layer}", "kernel") for layer in range(12)
    ]
    for epoch in range(10):
        steps = np.arange(40 * epoch, 40 * (epoch + 1))
        values = random.normal(size=(40, len(columns))).astype(np.float32)
        record.append(columns, steps, np.full(40, epoch), values)
        record.add("val_loss", 1.0 / (epoch + 1), step=int(steps[-1]), epoch=epoch)
        record.add_image("filters", epoch, random.bytes(6_000))
        record.metadata["model_summary"] = "layer\n" * 1_500
        record.metadata["updated"] = epoch
        record.flush()
    if not killed:
        record.close()
    return record


def same(record, other):
    return (
        record.to_frame().equals(other.to_frame())
        and record.images() == other.images()
        and record.metadata == other.metadata
    )


def copy(path, target):
    for suffix in ("", "-wal"):
        if os.path.exists(f"{path}{suffix}"):
            shutil.copy(f"{path}{suffix}", f"{target}{suffix}")
        elif os.path.exists(f"{target}{suffix}"):
            os.remove(f"{target}{suffix}")


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    path = tmp_path_factory.mktemp("closed") / "record.sqlite"
    write(path)
    return path, TrainingRecord.open(path)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The files as a killed process leaves them: most of it in SQLite's log."""
    path = tmp_path_factory.mktemp("killed") / "record.sqlite"
    left = tmp_path_factory.mktemp("left") / "record.sqlite"
    record = write(path, killed=True)
    copy(path, left)
    record.close()
    return left, TrainingRecord.open(left)


def flip(content, random):
    for place in random.integers(0, len(content), random.integers(1, 4)):
        content[place] ^= 1 << random.integers(8)


def zero_page(content, random):
    start = PAGE * random.integers(len(content) // PAGE)
    content[start : start + PAGE] = bytes(PAGE)


def cut(content, random):
    del content[random.integers(len(content)) :]


def overwrite(content, random):
    start = random.integers(len(content))
    length = random.integers(1, 2_000)
    content[start : start + length] = random.bytes(len(content[start : start + length]))


def exchange_pages(content, random):
    one, other = PAGE * random.integers(1, len(content) // PAGE, 2)
    first, second = content[one : one + PAGE], content[other : other + PAGE]
    content[one : one + PAGE], content[other : other + PAGE] = second, first


def check(path, whole):
    """Opens a damaged file: all of the record, or one sentence and a way out.

    Returns:
        Whether the damage was noticed.
    """
    try:
        found = TrainingRecord.open(path)
    except ValueError as error:
        words = str(error)
        shown = "".join(traceback.format_exception(error))
        assert "sqlite3." not in shown
        assert str(path) in words
        assert words.count("\n") == 0
        assert "salvage(path)" in words or "Restore" in words
        if "salvage(path)" in words:
            with pytest.warns(UserWarning, match="these are whole"):
                saved = TrainingRecord.salvage(path)
            check_part(saved, whole)
        else:
            with pytest.raises(ValueError, match="nothing that can be salvaged"):
                TrainingRecord.salvage(path)
        return True
    assert same(found, whole)
    return False


def check_part(saved, whole):
    """Every number salvaged is one that was measured, at its step."""
    for series in saved.series:
        steps, _, values = saved.values(*series)
        known, _, measured = whole.values(*series)
        rows = np.searchsorted(known, steps)
        np.testing.assert_array_equal(known[rows], steps)
        np.testing.assert_array_equal(measured[rows], values)
    assert set(saved.images()) <= set(whole.images())


DAMAGES = [flip, zero_page, cut, overwrite, exchange_pages]


many = pytest.param(range(8, 68), marks=pytest.mark.slow, id="many")
few = pytest.param(range(8), id="few")


@pytest.mark.parametrize("seeds", [few, many])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda one: one.__name__)
def test_damage_is_told_in_one_sentence_with_a_way_out(damage, seeds, closed, tmp_path):
    path, whole = closed
    noticed = 0
    target = tmp_path / "record.sqlite"
    for seed in seeds:
        content = bytearray(path.read_bytes())
        damage(content, np.random.default_rng([seed, DAMAGES.index(damage)]))
        target.write_bytes(content)
        noticed += check(target, whole)
    assert noticed > len(seeds) / 2


@pytest.mark.parametrize("seeds", [few, many])
@pytest.mark.parametrize("damage", [flip, overwrite], ids=lambda one: one.__name__)
def test_damage_in_the_log_of_a_killed_run_is_no_shorter_record(
    damage, seeds, killed, tmp_path
):
    path, whole = killed
    target = tmp_path / "record.sqlite"
    last_commit = 12 * (PAGE + 24)  # what is there may be a commit never finished
    noticed = 0
    for seed in seeds:
        copy(path, target)
        log = target.with_name("record.sqlite-wal")
        content = bytearray(log.read_bytes())
        head = bytearray(content[:-last_commit])
        damage(head, np.random.default_rng([seed, 9]))
        content[:-last_commit] = head
        log.write_bytes(content)
        noticed += check(target, whole)
        for suffix in ("-wal", "-shm"):
            target.with_name(f"record.sqlite{suffix}").unlink(missing_ok=True)
    assert noticed > len(seeds) / 2


def test_a_log_that_was_cut_off_is_the_record_of_an_earlier_moment(killed, tmp_path):
    path, whole = killed
    target = tmp_path / "record.sqlite"
    log = path.with_name("record.sqlite-wal").read_bytes()
    for length in np.linspace(0, len(log), 12).astype(int):
        copy(path, target)
        target.with_name("record.sqlite-wal").write_bytes(log[:length])
        if length < 8 * PAGE:  # not even the tables were made
            continue
        found = TrainingRecord.open(target)
        check_part(found, whole)
        epochs = found.metadata.get("updated", -1)
        assert len(found.images()) == epochs + 1


@pytest.mark.parametrize("lost", ["first page", "rows", "counts"])
def test_what_is_whole_is_salvaged(lost, closed, tmp_path):
    path, whole = closed
    target = tmp_path / "record.sqlite"
    shutil.copy(path, target)
    if lost == "first page":
        content = bytearray(target.read_bytes())
        content[:PAGE] = bytes(PAGE)
        target.write_bytes(content)
    else:
        connection = sqlite3.connect(target)
        if lost == "rows":
            connection.execute("DELETE FROM blocks WHERE id IN (3, 19)")
        else:
            connection.execute("DELETE FROM totals")
        connection.commit()
        connection.close()
    with pytest.raises(ValueError, match="blocks of readings, up to step 399"):
        TrainingRecord.open(target)
    with pytest.warns(UserWarning, match="these are whole"):
        saved = TrainingRecord.salvage(target)
    check_part(saved, whole)
    missing = 40 if lost == "rows" else 0
    assert len(saved.values("loss")[0]) in (400 - missing, 400)
    assert saved.metadata == whole.metadata
    assert len(saved.images()) == 10


def test_a_locked_file_is_called_locked(tmp_path):
    path = tmp_path / "record.sqlite"
    write(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("UPDATE images SET epoch = 0")
    with pytest.raises(ValueError, match="locked by another process"):
        TrainingRecord.open(path)
    connection.close()
