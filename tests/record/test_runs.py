import numpy as np
import pytest

from keras_trainkit.record import Runs, TrainingRecord


def run(path, losses, **names):
    record = TrainingRecord(path)
    for epoch, loss in enumerate(losses):
        place = {"step": 2 * epoch + 1, "epoch": epoch}
        record.add("epoch_loss", loss, **place)
        record.add("val_loss", loss + 0.5, **place)
    for name, value in names.items():
        record.add(name, value, step=1, epoch=0)
    record.flush()
    return record


@pytest.fixture
def directory(tmp_path):
    run(tmp_path / "a" / "fast" / "record.sqlite", [1.0, 0.5]).close()
    run(tmp_path / "b" / "fast" / "record.sqlite", [1.0, 0.8, 0.9], auc=0.7).close()
    return tmp_path


def test_runs_below_a_directory_are_one_table(directory):
    runs = Runs(directory)
    assert list(runs) == ["a/fast", "b/fast"]
    frame = runs.to_frame(measure="val_loss")
    assert list(frame)[:4] == ["run", "step", "epoch", "fit"]
    assert list(frame)[-1] == "value"
    assert frame.run.tolist() == ["a/fast"] * 2 + ["b/fast"] * 3
    np.testing.assert_allclose(frame.value, [1.5, 1.0, 1.5, 1.3, 1.4])
    assert runs.to_frame(measure="auc").run.tolist() == ["b/fast"]


def test_names_that_only_one_run_has_are_empty_in_the_others(directory):
    record = run(None, [1.0])
    record.add("overfitting_gap", 1.0, step=0, epoch=0, metric="loss")
    frame = Runs({"one": directory / "a" / "fast", "two": record}).to_frame()
    assert list(frame)[-2:] == ["metric", "value"]
    assert set(frame[frame.run == "one"].metric) == {""}
    assert not frame.isna().any().any()


def test_one_row_a_run_says_how_it_ended(directory):
    summary = Runs(directory).summary()
    assert summary.loc["b/fast", "steps"] == 6
    assert summary.loc["b/fast", "epochs"] == 3
    assert summary.loc["b/fast", "loss"] == 0.9
    assert summary.loc["b/fast", "val_loss"] == 1.4
    assert summary.loc["b/fast", "best_val_loss"] == 1.3
    assert np.isnan(summary.loc["a/fast", "auc"])


def test_runs_are_named_by_what_tells_them_apart(directory):
    paths = [directory / "a" / "fast", directory / "b" / "fast" / "record.sqlite"]
    assert list(Runs(paths)) == ["a/fast", "b/fast"]
    assert list(Runs([run(None, [1.0]), run(None, [1.0])])) == ["run 1", "run 2"]
    same = run(None, [1.0])
    same.metadata["model_name"] = "net"
    assert list(Runs([same, same])) == ["net (1)", "net (2)"]


def test_a_damaged_run_is_left_out_with_a_warning(directory):
    path = directory / "a" / "fast" / "record.sqlite"
    path.write_bytes(b"nothing")
    with pytest.warns(UserWarning, match="A run was left out"):
        assert list(Runs(directory)) == ["b/fast"]
    with pytest.raises(ValueError, match=str(path)):
        Runs([path])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (3, "Received: source=3"),
        ([3], "Received: source=3"),
        ([], "at least one run"),
        ("nowhere", "directory that holds runs"),
        (TrainingRecord(), "must be a directory"),
    ],
)
def test_bad_sources_are_refused(source, message):
    with pytest.raises(ValueError, match=message):
        Runs(source)


def test_a_measure_that_no_run_knows_is_refused(directory):
    with pytest.raises(ValueError, match="Received: measure='lost'"):
        Runs(directory).to_frame(measure="lost")
