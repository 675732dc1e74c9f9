import contextlib
import io
import json

import keras
import keras_tuner
import numpy as np
import pytest

from keras_trainkit.search import CoarseToFine, Stage, log_uniform, trials_frame

from ..conftest import net

STAGES = [Stage(3, epochs=1), Stage(2, epochs=2, carry=1)]


def build(hp):
    rate = log_uniform(hp, "rate", 1e-3, 1e0)
    return net(keras.optimizers.SGD(rate), hp.Choice("units", [1, 3]))


def make(directory, hypermodel=build, stages=STAGES, **settings):
    settings = {"seed": 0, "project_name": "p", **settings}
    return CoarseToFine(hypermodel, "val_loss", stages, directory=directory, **settings)


def comparable(tuner):
    frame = trials_frame(tuner, histories=True)
    return frame.drop(columns="seconds").to_json()


@pytest.fixture(scope="module")
def staged(tmp_path_factory, data):
    """A tuner that has searched, what it said, and its ranges before."""
    tuner = make(tmp_path_factory.mktemp("staged"))
    before = tuner.ranges
    with contextlib.redirect_stdout(io.StringIO()) as said:
        tuner.search(*data, validation_split=0.25)
    return tuner, said.getvalue(), before


def test_search_trains_for_the_epochs_of_each_stage(staged):
    tuner, said, _ = staged
    assert isinstance(tuner, keras_tuner.Tuner)
    frame = trials_frame(tuner, histories=True)
    assert frame["status"].tolist() == ["COMPLETED"] * 5
    lengths = [len(history["val_loss"]) for history in frame["history"]]
    assert lengths == [1] * 3 + [2] * 2
    assert len(tuner.get_best_models(2)) == 2
    assert "Stage 1 of 2: 3 trials of 1 epoch\n  rate: 0.001 to 1\n" in said
    assert "Stage 2 of 2: 2 trials of 2 epochs" in said
    assert "units: 1, 3" in said


def test_ranges_tell_how_the_search_narrowed(staged):
    tuner, _, before = staged
    assert before["change"].tolist() == ["start", "start"]
    frame = tuner.ranges
    assert frame["stage"].tolist() == [1, 1, 2, 2]
    assert frame["hyperparameter"].tolist() == ["rate", "units"] * 2
    assert frame["share"].tolist()[:2] == [1, 1]
    assert 0 < frame["share"][2] <= 1
    assert frame["low"][0] == pytest.approx(1e-3)
    assert np.isnan(frame["low"][1])
    assert frame["values"][1] == [1, 3]


def folded(directory, data):
    tuner = make(directory, stages=[Stage(2, epochs=1)], folds=3, seed=3)
    tuner.search(*data, verbose=0)
    return tuner


@pytest.fixture(scope="module")
def in_folds(tmp_path_factory, data):
    return folded(tmp_path_factory.mktemp("in_folds"), data)


def test_folds_score_by_the_mean_and_keep_each(in_folds):
    tuner = in_folds
    frame = trials_frame(tuner, histories=True)
    for _, row in frame.iterrows():
        parts = [row[f"val_loss_fold_{index}"] for index in (1, 2, 3)]
        assert len(set(parts)) == 3
        assert row["score"] == pytest.approx(np.mean(parts))
        assert [one["val_loss"] for one in row["executions"]] == [
            [one] for one in parts
        ]
    # The model that is kept is the one of the median fold.
    best = tuner.oracle.get_best_trials()[0]
    parts = [best.metrics.get_best_value(f"val_loss_fold_{one}") for one in (1, 2, 3)]
    median = int(np.argsort(parts)[1])
    _, kwargs = tuner._parts.fit_arguments(median, {})
    model = tuner.get_best_models()[0]
    loss = model.evaluate(*kwargs["validation_data"], verbose=0)[0]
    assert loss == pytest.approx(sorted(parts)[1], rel=1e-5)


def test_folds_are_the_same_again(in_folds, tmp_path, data):
    assert comparable(folded(tmp_path, data)) == comparable(in_folds)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stages": []}, "`stages` must be a list of one or more Stage"),
        ({"stages": [3]}, r"Received: stages=\[3\]"),
        ({"folds": 1}, "`folds` must be an integer >= 2"),
        ({"folds": 3, "executions_per_trial": 2}, "`executions_per_trial` must be 1"),
    ],
)
def test_coarse_to_fine_names_a_bad_argument(settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        make(tmp_path, **settings)


@pytest.mark.parametrize(
    ("settings", "fit", "message"),
    [
        ({}, {"epochs": 3}, "`epochs` must be left to the stages"),
        ({}, {}, "`validation_data` or `validation_split`"),
        (
            {"folds": 2},
            {"validation_split": 0.2},
            "`validation_split` must be left out",
        ),
    ],
)
def test_search_names_a_bad_argument(settings, fit, message, tmp_path, data):
    with pytest.raises(ValueError, match=message):
        make(tmp_path, **settings).search(*data, **fit)


def test_changed_range_is_an_error_on_resume(tmp_path, data):
    tuner = make(tmp_path, stages=[Stage(1, epochs=1)])
    tuner.search(*data, validation_split=0.25, verbose=0)
    state = json.loads((tmp_path / "p" / "oracle.json").read_text())
    assert state["stages"] == [[1, 1, 0.25, 2]]

    def wider(hp):
        log_uniform(hp, "rate", 1e-4, 1e0)
        return build(hp)

    with pytest.raises(ValueError, match="search space must be the stored one"):
        make(tmp_path, wider, stages=[Stage(1, epochs=1)])
