import dataclasses

import keras
import numpy as np
import pytest

import keras_trainkit as tk
from keras_trainkit.callbacks import TrainingGuard, TrainingMonitor
from tests import models


def fitted(rate, *watchers, epochs=6, x=None, **options):
    keras.utils.set_random_seed(0)
    model = models.small()
    model.compile(keras.optimizers.SGD(rate), models.CROSSENTROPY)
    data, y = models.data()
    history = model.fit(
        data if x is None else x,
        y,
        batch_size=8,
        epochs=epochs,
        verbose=0,
        callbacks=list(watchers),
        **options,
    )
    return model, history


def test_healthy_run_goes_on_bit_for_bit():
    guard = TrainingGuard(every=1, roll_back=True)
    model, history = fitted(0.01, guard)
    bare, _ = fitted(0.01)
    assert guard.stopped_because is None
    assert len(history.epoch) == 6
    for own, other in zip(model.get_weights(), bare.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


def test_hopeless_run_is_stopped_once_and_says_why():
    told = []
    guard = TrainingGuard(every=1, notify=told.append)
    _, history = fitted(1e4, guard)
    assert len(history.epoch) <= 2
    assert told == [guard.finding]
    assert guard.finding.code in guard.stop_on
    assert guard.stopped_because.startswith(guard.finding.code)
    assert guard.record.metadata["stopped_because"] == guard.stopped_because


def test_numbers_that_are_not_finite_end_it_at_once_and_are_rolled_back():
    x, _ = models.data()
    x = x.copy()
    x[3] = np.nan
    guard = TrainingGuard(every=1, patience=5, roll_back=True)
    model, history = fitted(0.01, guard, x=x)
    assert history.epoch == [0]
    assert guard.finding.code == "nonfinite"
    keras.utils.set_random_seed(0)
    fresh = models.small()
    for own, other in zip(model.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    assert int(model.optimizer.iterations.numpy()) == 0


def test_roll_back_gives_the_last_healthy_epoch():
    """A rule of one's own says when it is hopeless: from the third epoch on."""

    @dataclasses.dataclass(frozen=True)
    class Late(tk.diagnosis.Rule):
        code = "late"
        category = "schedule"
        needs = ("epoch_loss",)

        def judge(self, course):
            if len(course.values("epoch_loss")) < 3:
                return self.passes("early")
            return self.finds("Late.", severity="error", evidence={"epochs": 3})

    kept = {}
    saver = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kept.update({epoch: saver.model.get_weights()})
    )
    guard = TrainingGuard(["late"], rules=[Late()], roll_back=True)
    model, history = fitted(0.01, saver, guard)
    assert history.epoch == [0, 1, 2, 3]
    for own, other in zip(model.get_weights(), kept[1], strict=True):
        np.testing.assert_array_equal(own, other)


def test_guard_beside_a_monitor_reads_nothing_twice():
    monitor, guard = TrainingMonitor(every=1), TrainingGuard(every=1)
    fitted(0.01, monitor, guard, epochs=2)
    steps, _, _ = monitor.record.values("trivial_loss")
    assert len(steps) == len(set(steps)) == 2


def test_second_fit_is_judged_anew():
    guard = TrainingGuard(every=1)
    fitted(1e4, guard)
    assert guard.stopped_because
    _, history = fitted(0.01, guard, epochs=2)
    assert guard.stopped_because is None
    assert len(history.epoch) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"stop_on": ["boredom"]}, "`stop_on` must hold codes of rules"),
        ({"stop_on": "nonfinite"}, "`stop_on` must hold codes of rules"),
        ({"patience": 0}, "`patience` must be"),
        ({"notify": 3}, "`notify` must be callable"),
    ],
)
def test_guard_refuses(arguments, words):
    with pytest.raises(ValueError, match=words):
        TrainingGuard(**arguments)


def test_overflow_that_loss_scaling_skips_stops_nothing():
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(60, 5)).astype("f4")
    hidden = keras.layers.Dense(16, "relu", dtype="mixed_float16")
    output = keras.layers.Dense(1, dtype="mixed_float16")
    model = keras.Sequential([keras.Input((5,)), hidden, output])
    optimizer = keras.optimizers.Adam(0.01)
    model.compile(keras.optimizers.LossScaleOptimizer(optimizer), "mse")
    guard = TrainingGuard(every=1)
    y = 4 * (x[:, :1] ** 2 + x[:, 1:2])
    history = model.fit(x, y, batch_size=8, epochs=8, verbose=0, callbacks=[guard])
    assert len(history.epoch) == 8
    assert guard.stopped_because is None
    assert guard.record.metadata["loss_scaled"] is True
    assert len(tk.record.Readings(guard.record).overflow_steps)
    assert "nonfinite" not in [one.code for one in tk.diagnose(guard.record)]
