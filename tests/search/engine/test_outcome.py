import keras
import keras_tuner
import pytest

from keras_trainkit.search.engine.outcome import (
    Outcome,
    check_finite,
    choose_execution,
    read_outcome,
)

LOSS = keras_tuner.Objective("val_loss", "min")
ACCURACY = keras_tuner.Objective("val_accuracy", "max")
NAN = float("nan")


def history(**metrics):
    result = keras.callbacks.History()
    result.history = metrics
    return result


def test_history_gives_its_best_epoch():
    result = history(val_loss=[3.0, 1.0, 2.0], val_accuracy=[0.1, 0.5, 0.9])
    assert read_outcome(result, LOSS) == {"val_loss": 1.0, "val_accuracy": 0.5}
    assert read_outcome(result, LOSS).step == 1
    assert read_outcome(result, ACCURACY).step == 2


def test_epoch_that_was_not_finite_is_not_the_best():
    result = history(val_loss=[NAN, 3.0, 2.0], loss=[1.0, 1.0, 1.0])
    assert read_outcome(result, LOSS).step == 2


@pytest.mark.parametrize(
    "result",
    [
        history(val_loss=[1.0, NAN]),
        history(val_accuracy=[0.1, 0.2], val_loss=[1.0, 1.0], loss=[1.0, NAN]),
        history(val_loss=[1.0, float("inf")]),
        {"val_loss": NAN},
        NAN,
        [1.0, float("-inf")],
    ],
    ids=["nan", "training loss", "inf", "dictionary", "number", "list"],
)
def test_training_that_ends_in_nan_or_infinity_fails(result):
    with pytest.raises(keras_tuner.errors.FailedTrialError, match=r"diverged: .*loss"):
        read_outcome(result, LOSS)


@pytest.mark.parametrize("result", [None, "0.5", history(loss=[1.0]), {"a": 1}, []])
def test_result_without_the_objective_ends_the_search(result):
    with pytest.raises(keras_tuner.errors.FatalError):
        read_outcome(result, LOSS)


def test_list_counts_as_its_mean():
    assert read_outcome([1.0, {"val_loss": 2.0}], LOSS) == {"val_loss": 1.5}


@pytest.mark.parametrize(
    ("scores", "minimal", "maximal"),
    [([5.0], 0, 0), ([1.0, 2.0], 1, 0), ([3.0, 1.0, 2.0], 2, 2)],
)
def test_median_execution_stands_for_the_trial(scores, minimal, maximal):
    losses = [Outcome({"val_loss": value}) for value in scores]
    assert choose_execution(losses, LOSS) == minimal
    accuracies = [Outcome({"val_accuracy": value}) for value in scores]
    assert choose_execution(accuracies, ACCURACY) == maximal


def test_only_the_objective_and_the_losses_must_be_finite():
    check_finite({"val_loss": 1.0, "loss": 2.0, "mae": NAN}, LOSS)
    check_finite({}, LOSS)
    for name in ("loss", "val_loss", "val_accuracy"):
        words = rf"^Training diverged: {name} is -inf in epoch 4\.$"
        with pytest.raises(keras_tuner.errors.FailedTrialError, match=words):
            check_finite({"mae": 1.0, name: -float("inf")}, ACCURACY, 3)
    with pytest.raises(keras_tuner.errors.FailedTrialError, match=r"loss is nan\.$"):
        check_finite({"loss": NAN}, ACCURACY)
    with pytest.raises(keras_tuner.errors.FailedTrialError, match=r"in epoch 1\.$"):
        check_finite({"loss": NAN}, ACCURACY, 0)


def test_every_part_of_a_sum_must_be_finite():
    both = keras_tuner.oracles.RandomSearchOracle([LOSS, ACCURACY]).objective
    with pytest.raises(keras_tuner.errors.FailedTrialError, match="accuracy is nan"):
        check_finite({"val_loss": 1.0, "val_accuracy": NAN}, both)
