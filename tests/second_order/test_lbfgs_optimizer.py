import keras
import numpy as np
import pytest

import keras_trainkit as tk
from keras_trainkit.second_order import LBFGS
from tests import models
from tests.second_order.test_minimize import linear, optimum

X, Y = models.data(100)


def compiled(build=linear, history_size=3, overlap=None, **options):
    optimizer = LBFGS(history_size=history_size, overlap=overlap)
    model = models.compiled(build, optimizer=optimizer, **options)
    # A step that makes the optimizer's variables is traced twice.
    optimizer.build(model.trainable_variables)
    return model


def fit(model, epochs, x=X, y=Y, **options):
    return model.fit(
        x, y, batch_size=len(x), epochs=epochs, verbose=0, **options
    ).history["loss"]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="graph"),
        pytest.param({"run_eagerly": True}, id="eager", marks=pytest.mark.slow),
        pytest.param({"jit_compile": True}, id="xla", marks=pytest.mark.slow),
    ],
)
def test_lbfgs_in_fit_reaches_the_minimum(options):
    model = compiled(**options)
    losses = fit(model, 40)
    assert losses[0] == losses[1]  # looked at twice
    found = model.evaluate(X, Y, batch_size=100, verbose=0)
    assert found == pytest.approx(optimum(X, Y), rel=1e-5)


def test_fit_ends_at_the_best_point_and_goes_on_from_it():
    model = compiled()
    seen = []
    for _ in range(3):
        losses = fit(model, 5)
        seen += losses
        found = model.evaluate(X, Y, batch_size=100, verbose=0)
        assert found <= min(seen) * (1 + 1e-5)
    assert found < 0.95 * seen[0]


@pytest.mark.slow
def test_lbfgs_comes_back_from_infinity():
    x = np.linspace(-1, 1, 50, dtype="float32")[:, None]

    def steep():
        return keras.Sequential(
            [keras.Input((1,)), keras.layers.Dense(1, "exponential")]
        )

    model = compiled(steep, loss="mse")
    model.set_weights([np.array([[20.0]], "float32"), np.zeros(1, "float32")])
    losses = fit(model, 150, x, np.exp(2 * x + 1))
    assert losses[0] > 1e10
    assert model.evaluate(x, np.exp(2 * x + 1), batch_size=50, verbose=0) < 1.0


def test_a_resumed_training_equals_one_without_a_break(tmp_path):
    path = tmp_path / "middle.keras"

    class Saving(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 5:
                self.model.save(path)

    model = compiled()
    fit(model, 12, callbacks=[Saving()])
    resumed = keras.models.load_model(path)
    fit(resumed, 6)
    assert models.same(models.weights_of(model), models.weights_of(resumed))


@pytest.mark.slow
def test_overlapping_batches_lower_the_loss_and_resume(tmp_path):
    x, y = models.data(1200)
    y = np.argmax(x[:, :3] + 0.5 * x[:, 3:6], axis=1)
    model = compiled(overlap=0.25)
    batches = model.optimizer.batches(x, y, batch_size=400)
    assert int(batches.cardinality()) == 9
    sizes = [len(part[1]) for part in batches]
    assert sizes == [100, 200, 100] * 3
    before = model.evaluate(x, y, batch_size=1200, verbose=0)
    model.fit(batches, epochs=3, verbose=0, shuffle=False)
    model.save(tmp_path / "middle.keras")
    model.fit(batches, epochs=2, verbose=0, shuffle=False)
    assert model.evaluate(x, y, batch_size=1200, verbose=0) < 0.75 * before
    resumed = keras.models.load_model(tmp_path / "middle.keras")
    resumed.fit(
        resumed.optimizer.batches(x, y, batch_size=400),
        epochs=2,
        verbose=0,
        shuffle=False,
    )
    assert models.same(models.weights_of(model), models.weights_of(resumed))


def test_consecutive_batches_share_their_rows():
    optimizer = LBFGS(overlap=0.25)
    x = np.arange(2000.0)[:, None]
    pieces = [part[:, 0].numpy() for part in optimizer.batches(x, batch_size=400)]
    assert len(pieces) == 18
    for place in range(2, len(pieces) - 1, 3):
        np.testing.assert_array_equal(pieces[place], pieces[place + 1])
    own = np.concatenate([*pieces[1::3], *pieces[2::3]])
    assert len(np.unique(own)) == len(own)


def test_mini_batches_without_overlap_are_refused():
    model = compiled()
    with pytest.raises(Exception, match="same loss at the same weights"):
        model.fit(X, Y, batch_size=20, epochs=2, verbose=0)


def test_a_loss_that_is_nan_is_not_taken_for_one_that_changes():
    model = compiled()
    with pytest.raises(Exception, match="needs a finite loss where it starts"):
        model.fit(np.full_like(X, np.nan), Y, batch_size=len(X), epochs=3, verbose=0)


def test_small_overlaps_are_warned_of():
    with pytest.warns(UserWarning, match="mostly noise"):
        LBFGS(overlap=0.25).batches(X, Y, batch_size=60)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LBFGS(learning_rate=0), "`learning_rate`"),
        (lambda: LBFGS(history_size=0), "`history_size`"),
        (lambda: LBFGS(overlap=0.5), "`overlap`"),
        (lambda: LBFGS(clipnorm=1.0), "takes no clipnorm"),
        (lambda: LBFGS(weight_decay=0.1), "takes no weight_decay"),
        (lambda: LBFGS().batches(X, Y, batch_size=60), "`overlap` of the optimizer"),
        (lambda: LBFGS(overlap=0.2).batches(X, Y, batch_size=900), "`batch_size`"),
        (lambda: fit(compiled(overlap=0.25), 1), "fed by its own batches"),
    ],
)
def test_lbfgs_refuses_what_it_cannot_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_config_makes_the_same_optimizer():
    config = LBFGS(0.5, 7, 0.2, name="mine").get_config()
    assert LBFGS.from_config(config).get_config() == config


def test_switching_goes_from_adam_to_lbfgs_in_one_fit():
    switch = tk.callbacks.SwitchOptimizer(LBFGS(history_size=3), at=4)
    monitor = tk.callbacks.LossMonitor()
    model = models.compiled(linear)
    losses = fit(model, 40, callbacks=[switch, monitor])
    assert switch.switched == 4
    assert model.optimizer is switch.to
    assert len(losses) == 40
    steps, _, _ = monitor.record.values("loss")
    assert list(steps) == list(range(40))
    found = model.evaluate(X, Y, batch_size=100, verbose=0)
    assert found == pytest.approx(optimum(X, Y), rel=1e-5)


def test_switching_waits_until_the_loss_has_flattened():
    later = keras.optimizers.SGD(0.5)
    switch = tk.callbacks.SwitchOptimizer(later, patience=2, min_delta=0.5)
    model = models.compiled(linear, optimizer=keras.optimizers.SGD(1e-4))
    fit(model, 6, callbacks=[switch])
    assert switch.switched == 3
    assert int(later.iterations) == 3
    fit(model, 4, callbacks=[switch])
    assert switch.switched is None  # nothing to change to


def test_switching_refuses_an_optimizer_of_another_model():
    switch = tk.callbacks.SwitchOptimizer(LBFGS(), at=1)
    fit(models.compiled(linear), 2, callbacks=[switch])
    with pytest.raises(ValueError, match="not used with another model"):
        fit(models.compiled(linear), 2, callbacks=[switch])


@pytest.mark.parametrize("overlap", [None, 0.25])
def test_lbfgs_trains_in_float64(overlap):
    keras.config.set_floatx("float64")
    optimizer = LBFGS(overlap=overlap)
    model = models.compiled(linear, optimizer=optimizer, jit_compile=False)
    if overlap is None:
        losses = fit(model, 20)
    else:
        with pytest.warns(UserWarning, match="share"):
            data = optimizer.batches(X, Y, batch_size=40)
        losses = model.fit(data, epochs=4, shuffle=False, verbose=0).history["loss"]
    assert model.layers[-1].kernel.dtype == "float64"
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "adam"}, "`to` must be a Keras optimizer"),
        ({"at": 0}, "`at`"),
        ({"patience": 0}, "`patience`"),
        ({"min_delta": -1}, "`min_delta`"),
    ],
)
def test_switching_refuses_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        tk.callbacks.SwitchOptimizer(**{"to": LBFGS(), **options})
