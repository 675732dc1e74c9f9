import types

import keras_tuner
import numpy as np
import pytest

from keras_trainkit.search import CoarseToFine, RandomSearch, Stage, report
from keras_trainkit.search.page import _results
from tests.report.test_page_in_browser import CHROMIUM, marker, open_in_browser

from .tuners.test_coarse_to_fine import build


def page(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def failing(hp):
    model = build(hp)
    if hp.get("units") == 1:
        raise RuntimeError("no room for <one> unit")
    return model


def test_report_of_a_search_shows_all_of_it(tmp_path, data):
    stages = [Stage(3, epochs=1), Stage(2, epochs=2)]
    tuner = CoarseToFine(build, "val_loss", stages, seed=0, directory=tmp_path)
    tuner.search(*data, validation_split=0.25, verbose=0)
    results = _results(tuner, [])
    assert [axis.name for axis in results.axes] == ["rate", "units"]
    assert results.axes[0].logarithmic
    assert results.axes[1].options == [1, 3]
    assert [trial.stage for trial in results.trials] == [0] * 3 + [1] * 2
    assert results.trials[4].epochs == 2
    assert len(results.trials[4].curves["val_loss"]) == 2
    assert results.stages[0].ranges["rate"] == pytest.approx((1e-3, 1.0))
    path = report(tuner, tmp_path / "pages" / "search.html", title="My search")
    text = page(path)
    assert "<h1>My search</h1>" in text
    for part in ("All hyperparameters at once", "Learning curves", "stage 2, 2 epochs"):
        assert part in text
    if CHROMIUM:
        drawn, said = open_in_browser(path, tmp_path / "profile")
        assert said == []
        assert marker(drawn, "drawn") == 5


def test_report_names_failed_trials_and_why(tmp_path, data):
    hp = keras_tuner.HyperParameters()
    hp.Choice("units", [3, 1])  # the first build of all must not fail
    tuner = RandomSearch(
        failing, "val_loss", 5, seed=0, directory=tmp_path, hyperparameters=hp
    )
    tuner.search(*data, validation_split=0.25, epochs=1, verbose=0)
    failed = [one for one in _results(tuner, []).trials if one.status == "failed"]
    assert failed
    text = page(report(tuner, tmp_path / "search.html"))
    assert "RuntimeError: no room for &lt;one&gt; unit" in text


def test_report_before_the_first_trial(tmp_path):
    tuner = RandomSearch(build, "val_loss", 5, seed=0, directory=tmp_path)
    assert "none yet" in page(report(tuner, tmp_path / "search.html"))


def test_report_marks_the_end_where_the_best_crowd(tmp_path):
    tuner = RandomSearch(build, "val_loss", 40, seed=0, directory=tmp_path)
    oracle = tuner.oracle
    while (trial := oracle.create_trial("tuner0")).status == "RUNNING":
        rate = trial.hyperparameters.values["rate"]
        oracle.update_trial(trial.trial_id, {"val_loss": -np.log(rate)})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    text = page(report(tuner, tmp_path / "search.html"))
    assert "The best values of rate sit at the upper end of its range" in text
    assert "The shaded end is where these crowd" in text


def test_report_takes_a_tuner_of_keras_tuner(tmp_path):
    tuner = keras_tuner.RandomSearch(
        build, keras_tuner.Objective("val_loss", "min"), 2, directory=str(tmp_path)
    )
    assert "Search report" in page(report(tuner, tmp_path / "search.html"))


def test_report_names_what_is_no_tuner(tmp_path):
    with pytest.raises(ValueError, match="`tuner` must be a KerasTuner tuner"):
        report(types.SimpleNamespace(), tmp_path / "search.html")
