import keras_tuner
import numpy as np
import pytest

from keras_trainkit import diagnose, search
from keras_trainkit.record.training_record import TrainingRecord

from .conftest import build, make, run
from .oracles import make_oracle


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("trials")


@pytest.fixture(scope="module")
def tuner(directory, data):
    tuner = make("random", directory, max_trials=2)
    run(tuner, data, epochs=3)
    return tuner


def test_table_is_the_same_running_finished_reloaded_and_from_files(tuner, directory):
    columns = [
        *("trial", "status", "score", "rate", "units", "best_epoch"),
        *("accuracy", "loss", "val_accuracy", "val_loss", "seconds", "failure"),
    ]
    assert search.trials_frame(tuner).columns.tolist() == columns
    columns += ["history", "executions"]
    frame = search.trials_frame(tuner, histories=True)
    assert frame.columns.tolist() == columns
    assert (frame.seconds > 0).all()
    for other in (make("random", directory, max_trials=2), directory / "p"):
        assert search.trials_frame(other, histories=True).to_dict() == frame.to_dict()


def test_history_holds_every_epoch_and_the_score_is_its_best(tuner):
    frame = search.trials_frame(tuner, histories=True)
    for _, row in frame.iterrows():
        losses = row.history["val_loss"]
        assert len(losses) == 3
        assert min(losses) == row.score == losses[row.best_epoch]


def test_record_of_a_trial_is_one_like_any_other(tuner, directory):
    record = TrainingRecord.open(directory / "p" / "trial_000001")
    assert len(record.values("val_loss")[2]) == 3
    assert record.metadata["hyperparameters"]["units"] in (1, 3)
    assert diagnose(record).answer


def test_running_trial_shows_what_it_has(tmp_path, data):
    seen = []

    class Looking(search.RandomSearch):
        def on_epoch_end(self, trial, model, epoch, logs=None):
            seen.append(search.trials_frame(self, histories=True).iloc[-1])

    tuner = Looking(build, "val_loss", 1, seed=0, directory=tmp_path, project_name="p")
    run(tuner, data, epochs=2)
    assert [row.status for row in seen] == ["RUNNING"] * 2
    assert [len(row.history["loss"]) for row in seen] == [1, 2]


def test_tuner_of_keras_tuner_gives_what_it_has(tmp_path):
    class Parabola(keras_tuner.RandomSearch):
        def run_trial(self, trial, **settings):
            return trial.hyperparameters.Float("x", -1.0, 1.0) ** 2

    tuner = Parabola(max_trials=3, directory=tmp_path, project_name="p")
    tuner.search(verbose=0)
    frame = search.trials_frame(tuner, histories=True)
    np.testing.assert_allclose(frame.score, frame.x**2)
    assert frame.history.tolist() == [{}] * 3
    assert search.trials_frame(tmp_path / "p").score.equals(frame.score)


def test_hyperparameter_called_like_a_column_is_told_apart(tmp_path):
    hp = keras_tuner.HyperParameters()
    hp.Choice("status", ["on"])
    hp.Float("val_loss", 0.0, 1.0)
    oracle = make_oracle("random", tmp_path, hyperparameters=hp)
    trial = oracle.create_trial("a")
    oracle.update_trial(trial.trial_id, {"val_loss": 5.0})
    frame = search.trials_frame(tmp_path / "p")
    assert frame["hp/status"][0] == "on"
    assert frame["metric/val_loss"][0] == 5.0


def test_empty_search_gives_an_empty_table(tmp_path):
    assert search.trials_frame(make("random", tmp_path)).empty


def test_directory_without_a_project_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="the directory of a project"):
        search.trials_frame(tmp_path)


def test_printed_table_begins_with_what_one_looks_for(tuner):
    frame = search.trials_frame(tuner)
    text = str(frame)
    head = text.splitlines()[0].split()
    assert head[:5] == ["trial", "status", "score", "rate", "units"]
    assert all(name in text for name in frame.columns)  # none is left out
    assert "{" not in text
    # What is taken of it is a table like it.
    assert "failure" in str(frame.sort_values("score").head(1))
    assert type(frame.score).__name__ == "Series"


def test_histories_must_be_a_flag(tuner):
    with pytest.raises(ValueError, match="`histories` must be True or False"):
        search.trials_frame(tuner, histories="yes")
