import keras_tuner
import pytest

from ..oracles import make_oracle, opened, search, space


def moved():
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 1e-3, 1e1, sampling="log")
    hp.Choice("units", [1, 3])
    return hp


def wider():
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 1e-6, 1e1, sampling="log")
    hp.Choice("units", [1, 3, 9])
    hp.Boolean("bias")
    return hp


def fewer():
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 1e-4, 1e0, sampling="log")
    return hp


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (moved, "rate: Float 0.0001 to 1 (log) -> Float 0.001 to 10 (log)"),
        (wider, "units: Choice [1, 3] -> Choice [1, 3, 9]"),
        (wider, "bias: new, Boolean"),
        (fewer, "units: gone, was Choice [1, 3]"),
    ],
    ids=["moved", "wider", "new", "gone"],
)
def test_changed_space_is_an_error_that_lists_the_changes(changed, line, tmp_path):
    search(make_oracle("random", tmp_path))
    with pytest.raises(ValueError, match="The search space must be") as raised:
        opened("random", tmp_path, hyperparameters=changed())
    assert line in str(raised.value)
    assert "overwrite=True" in str(raised.value)


@pytest.mark.parametrize("changed", [moved, fewer])
def test_widening_takes_only_what_is_wider(changed, tmp_path):
    search(make_oracle("random", tmp_path))
    with pytest.raises(ValueError, match="takes only ranges that hold"):
        opened("random", tmp_path, hyperparameters=changed(), on_changed_space="widen")


@pytest.mark.parametrize("kind", ["random", "grid"])
def test_widening_goes_on_in_the_wider_space(kind, tmp_path):
    limits = {} if kind == "grid" else {"max_trials": 4}
    search(make_oracle(kind, tmp_path, **limits))
    limits = {} if kind == "grid" else {"max_trials": 9}
    oracle = opened(
        kind, tmp_path, hyperparameters=wider(), on_changed_space="widen", **limits
    )
    earlier = list(oracle.trials)
    search(oracle)
    added = [
        trial.hyperparameters.values
        for trial_id, trial in oracle.trials.items()
        if trial_id not in earlier
    ]
    assert all("bias" in values for values in added)
    assert any(not 1e-4 <= values["rate"] <= 1 for values in added)
    # And again without a word: the wider space is now the stored one.
    opened(kind, tmp_path, hyperparameters=wider(), **limits)


def test_same_space_resumes(tmp_path):
    search(make_oracle("random", tmp_path, max_trials=2))
    oracle = opened("random", tmp_path, hyperparameters=space(), max_trials=4)
    search(oracle)
    assert len(oracle.trials) == 4


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("random", {"seed": 1}, "seed was 0 and is 1"),
        ("hyperband", {"max_epochs": 9}, "max_epochs was 3 and is 9"),
        ("grid", {"points": 4}, "points was 3 and is 4"),
        ("bayesian", {"beta": 1.0}, "beta was 2.6 and is 1.0"),
    ],
)
def test_changed_course_is_an_error(kind, settings, words, tmp_path):
    make_oracle(kind, tmp_path).create_trial("a")
    with pytest.raises(ValueError, match=words):
        opened(kind, tmp_path, **settings)


def test_other_search_in_the_project_is_an_error(tmp_path):
    make_oracle("random", tmp_path).create_trial("a")
    with pytest.raises(ValueError, match="oracle was 'RandomOracle' and is 'Grid"):
        opened("grid", tmp_path)


def test_seed_that_was_drawn_is_the_same_after_a_resume(tmp_path):
    oracle = make_oracle("random", tmp_path, seed=None)
    oracle.create_trial("a")
    assert opened("random", tmp_path, seed=None).seed == oracle.seed


def test_project_of_keras_tuner_is_refused(tmp_path):
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective="val_loss", hyperparameters=space()
    )
    oracle._set_project_dir(str(tmp_path), "p")
    oracle.save()
    with pytest.raises(ValueError, match="this version of keras_trainkit wrote"):
        opened("random", tmp_path)
