"""Members from the best trials of a hyperparameter search."""

import shutil
from pathlib import Path

import keras_tuner
import numpy as np
import pytest

from keras_trainkit.ensembles import Ensemble
from tests import models
from tests.ensembles.members import classifier, compiled


class Space(keras_tuner.HyperModel):
    def build(self, hp):
        units = hp.Choice("units", [4, 5, 3, 6])
        if units == 5:
            raise keras_tuner.errors.FailedTrialError("five units do not work")
        return compiled(classifier(units), run_eagerly=True)

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, batch_size=hp.Fixed("batch", 24), **kwargs)


def tuner_in(directory):
    return keras_tuner.GridSearch(
        Space(),
        objective="val_loss",
        max_trials=4,
        max_retries_per_trial=0,
        max_consecutive_failed_trials=9,
        directory=directory,
        project_name="search",
    )


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    directory = tmp_path_factory.mktemp("searched")
    x, y = models.data()
    tuner_in(directory).search(x, y, validation_data=(x, y), epochs=1, verbose=0)
    return directory


@pytest.fixture
def tuner(searched, tmp_path, capsys):
    shutil.copytree(searched, tmp_path, dirs_exist_ok=True)
    return tuner_in(tmp_path)


def units(ensemble):
    return [member.layers[0].units for member in ensemble.members]


def completed(tuner):
    trials = tuner.oracle.trials.values()
    done = [trial for trial in trials if trial.status == "COMPLETED"]
    return sorted(done, key=lambda trial: trial.score)


@pytest.mark.filterwarnings("ignore:.*optimizer.*:UserWarning")
def test_best_trials_are_loaded_as_the_search_saved_them(tuner):
    ensemble = Ensemble.from_tuner(tuner, 3)
    best = completed(tuner)[:3]
    assert units(ensemble) == [trial.hyperparameters["units"] for trial in best]
    x, y = models.data()
    losses = [member.evaluate(x, y, verbose=0)[0] for member in ensemble.members]
    np.testing.assert_allclose(losses, [trial.score for trial in best], rtol=1e-4)


@pytest.mark.filterwarnings("ignore:.*optimizer.*:UserWarning")
def test_failed_and_unscored_trials_are_left_out(tuner):
    best = completed(tuner)[0]
    best.score = float("nan")
    usable = len(completed(tuner)) - 1
    with pytest.warns(UserWarning, match=f"has {usable} usable trials of the 20"):
        ensemble = Ensemble.from_tuner(tuner, 20)
    assert len(ensemble.members) == usable
    assert 5 not in units(ensemble)


@pytest.mark.filterwarnings("ignore:.*optimizer.*:UserWarning")
def test_damaged_trial_is_named_and_left_out_on_request(tuner, tmp_path):
    best = completed(tuner)
    for path in Path(tmp_path).rglob(f"*{best[0].trial_id}*/checkpoint*"):
        path.unlink() if path.is_file() else shutil.rmtree(path)
    with pytest.raises(ValueError, match=f"Trial '{best[0].trial_id}' cannot be load"):
        Ensemble.from_tuner(tuner, 2)
    with pytest.warns(UserWarning, match=f"Left out: Trial '{best[0].trial_id}'"):
        ensemble = Ensemble.from_tuner(tuner, 2, skip_damaged=True)
    expected = [trial.hyperparameters["units"] for trial in best[1:3]]
    assert units(ensemble) == expected


def test_best_hyperparameters_are_trained_anew(tuner):
    x, y = models.data()
    fit = {"x": x, "y": y, "epochs": 2}
    ensemble = Ensemble.from_tuner(tuner, 2, fit=fit)
    again = Ensemble.from_tuner(tuner, 2, fit=fit)
    for trial, member, same in zip(
        completed(tuner), ensemble.members, again.members, strict=False
    ):
        steps = 2 * len(x) // trial.hyperparameters["batch"]
        assert int(np.asarray(member.optimizer.iterations)) == steps
        assert models.same(member.get_weights(), same.get_weights())
    by_function = Ensemble.from_tuner(
        tuner, 1, fit=lambda model: model.fit(x, y, verbose=0)
    )
    assert units(by_function) == units(ensemble)[:1]


def test_search_without_trials_is_refused(tmp_path):
    tuner = keras_tuner.RandomSearch(Space(), "val_loss", directory=tmp_path)
    with pytest.raises(ValueError, match="must have a completed trial"):
        Ensemble.from_tuner(tuner)
    with pytest.raises(ValueError, match="`tuner` must be a KerasTuner tuner"):
        Ensemble.from_tuner(object())
