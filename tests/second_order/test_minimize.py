import keras
import numpy as np
import pytest
import scipy.optimize
import scipy.special
from sklearn.datasets import load_digits

import keras_trainkit as tk
from keras_trainkit.second_order import GradientSource, minimize
from tests import models
from tests.tolerances import FLOAT64


def digits(rows=1500):
    data = load_digits()
    chosen = np.random.default_rng(0).permutation(len(data.target))[:rows]
    return (data.data[chosen] / 16).astype("float32"), data.target[chosen]


def digits_net(seed=0):
    keras.utils.set_random_seed(seed)
    penalty = keras.regularizers.L2(0.5e-4)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, "tanh", kernel_regularizer=penalty),
            keras.layers.Dense(10, kernel_regularizer=penalty),
        ]
    )
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def linear(penalty=0.01):
    return keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(
                3,
                "softmax",
                kernel_regularizer=keras.regularizers.L2(penalty),
                bias_regularizer=keras.regularizers.L2(penalty),
            ),
        ]
    )


def optimum(x, y, penalty=0.01):
    """The lowest loss of `linear`, by SciPy from a gradient written in NumPy."""
    wide = np.hstack([x.astype(np.float64), np.ones((len(x), 1))])
    hot = np.eye(3)[y]

    def loss(flat):
        weights = flat.reshape(9, 3)
        logits = wide @ weights
        logits -= scipy.special.logsumexp(logits, axis=1, keepdims=True)
        gradient = wide.T @ (np.exp(logits) - hot) / len(x) + 2 * penalty * weights
        value = -np.mean(np.sum(hot * logits, axis=1)) + penalty * np.sum(weights**2)
        return value, gradient.ravel()

    found = scipy.optimize.minimize(
        loss, np.zeros(27), jac=True, method="BFGS", options={"gtol": 1e-10}
    )
    return found.fun


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_lbfgs_learns_digits_without_a_rate(seed):
    model = digits_net(seed)
    result = minimize(model, *digits(), max_evaluations=300, tolerance=0.0)
    assert result.loss <= 0.0202
    assert result.evaluations <= 300
    assert result.stopped == "evaluations"
    found = model.evaluate(*digits(), batch_size=1500, verbose=0)
    assert found == pytest.approx(result.loss, 1e-5)


@pytest.mark.parametrize("history_size", [1, 10])
def test_lbfgs_reaches_the_minimum_of_a_convex_loss(history_size):
    x, y = models.data(100)
    model = models.compiled(linear)
    result = minimize(
        model, x, y, dtype="float64", tolerance=1e-8, history_size=history_size
    )
    assert result.stopped == "gradient"
    assert result.gradient_norm <= 1e-8
    # Keras rounds the penalty's factor to float32.
    assert result.loss == pytest.approx(optimum(x, y), rel=1e-8)


def test_lbfgs_does_not_depend_on_the_rows_at_a_time():
    x, y = models.data(100)
    losses = []
    for rows in (None, 13):
        model = models.compiled(linear)
        result = minimize(model, x, y, dtype="float64", batch_size=rows, tolerance=1e-8)
        losses.append(result.loss)
    assert losses[0] == pytest.approx(losses[1], FLOAT64)


def test_lbfgs_stops_where_float32_ends():
    x, y = models.data(100)
    result = minimize(models.compiled(linear), x, y, tolerance=0.0)
    assert result.stopped in ("stalled", "no lower loss")
    assert result.evaluations < 200
    assert result.loss == pytest.approx(optimum(x, y), rel=1e-5)


def test_lbfgs_comes_back_from_infinity():
    # The exponential overflows on a first step of any greed.
    x = np.linspace(-1, 1, 50, dtype="float32")[:, None]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "exponential")])
    model.layers[0].set_weights([np.array([[40.0]], "float32"), np.zeros(1, "float32")])
    model.compile(loss="mse")
    result = minimize(model, x, np.exp(2 * x + 1), max_evaluations=500)
    assert result.loss < 1e-6


def test_callbacks_see_iterations_as_epochs(tmp_path):
    x, y = models.data()
    model = models.compiled(metrics=["accuracy"])
    monitor = tk.callbacks.LossMonitor()
    saved = str(tmp_path / "best.weights.h5")
    callbacks = [
        keras.callbacks.ModelCheckpoint(
            saved, monitor="loss", save_best_only=True, save_weights_only=True
        ),
        keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
        monitor,
    ]
    result = minimize(
        model, x, y, max_evaluations=20, validation_data=(x, y), callbacks=callbacks
    )
    losses = result.history.history["loss"]
    assert len(losses) == result.iterations > 3
    assert losses == sorted(losses, reverse=True)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1 + len(losses)
    for record in (result.record, monitor.record):
        steps, epochs, values = record.values("val_accuracy")
        assert list(epochs) == list(range(len(losses)))
        assert list(steps) == sorted(set(steps))
        assert list(values) == pytest.approx(result.history.history["val_accuracy"])
    after = models.weights_of(model)
    model.load_weights(saved)
    assert models.same(after[:-2], models.weights_of(model)[:-2])


def test_early_stopping_stops_it():
    x, y = models.data()
    model = models.compiled(models.functional)
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=1)
    result = minimize(
        model, x, y, validation_data=models.data(seed=1), callbacks=[stopping]
    )
    assert result.stopped == "callback"


def test_an_interrupt_leaves_the_best_weights():
    x, y = models.data()
    model = models.compiled(models.functional)
    seen = []

    class Interrupting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["loss"])
            if epoch == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        minimize(model, x, y, callbacks=[Interrupting()])
    found = model.evaluate(x, y, batch_size=len(x), verbose=0)
    assert found == pytest.approx(min(seen), 1e-5)


def test_only_the_weights_change():
    x, y = models.data()
    model = models.compiled()
    model.train_on_batch(x, y)
    kept = [
        v.numpy() for v in model.non_trainable_variables + model.optimizer.variables
    ]
    minimize(model, x, y, max_evaluations=5)
    now = [v.numpy() for v in model.non_trainable_variables + model.optimizer.variables]
    assert models.same(kept, now)
    model.train_on_batch(x, y)


class Elsewhere:
    """A source that computes batch by batch and may fail."""

    def __init__(self, fail_at=None):
        self.calls, self.closed, self.fail_at = 0, 0, fail_at

    def open(self, objective):
        self.flat, self.places = objective.flat, range(len(objective.batches))

    def value_and_gradient(self, vector):
        self.calls += 1
        if self.calls == self.fail_at:
            raise ConnectionError("a worker is gone")
        parts = [
            self.flat.value_and_gradient(np.asarray(vector), [place])
            for place in self.places
        ]
        return sum(float(v) for v, _ in parts), sum(g.numpy() for _, g in parts)

    def close(self):
        self.closed += 1


def test_a_cluster_computes_in_place_of_this_process():
    x, y = models.data(100)
    source = Elsewhere()
    assert isinstance(source, GradientSource)
    options = {"dtype": "float64", "tolerance": 1e-8, "batch_size": 13}
    there = minimize(models.compiled(linear), x, y, cluster=source, **options)
    here = minimize(models.compiled(linear), x, y, **options)
    assert there.loss == pytest.approx(here.loss, FLOAT64)
    assert (source.calls, source.closed) == (there.evaluations, 1)
    failing = Elsewhere(fail_at=3)
    with pytest.raises(ConnectionError):
        minimize(models.compiled(linear), x, y, cluster=failing, **options)
    assert failing.closed == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "bfgs"}, "`method` must be one of"),
        ({"max_evaluations": 0}, "`max_evaluations` must be an integer >= 1"),
        ({"tolerance": -1.0}, "`tolerance` must be a finite number >= 0"),
        ({"tolerance": float("nan")}, "`tolerance`"),
        ({"history_size": 0}, "`history_size`"),
        ({"verbose": 3}, "`verbose`"),
        ({"cluster": object()}, "`cluster` must have"),
        ({"method": "sfo", "subfunctions": 1000}, "at most the number of rows, "),
        ({"callbacks": [3]}, "`callbacks` must be Keras callbacks.*3"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_minimize_refuses_bad_arguments_and_changes_nothing(options, message):
    x, y = models.data()
    model = models.compiled(models.functional)
    before = models.weights_of(model)
    with pytest.raises(ValueError, match=message):
        minimize(model, x, y, **options)
    assert models.same(before, models.weights_of(model))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x, y: (np.where(x == x.max(), np.inf, x), y), "finite"),
        (
            lambda x, y: (x, y + 7),
            "within its classes.*says: Received a label value of 9",
        ),
    ],
    ids=["infinite input", "label beyond the classes"],
)
def test_minimize_refuses_data_without_a_loss_and_changes_nothing(spoil, message):
    x, y = models.data()
    model = models.compiled(models.small)
    before = models.weights_of(model)
    with pytest.raises(ValueError, match=message):
        minimize(model, *spoil(x, y))
    assert models.same(before, models.weights_of(model))


def test_minimize_ends_by_the_gradient_where_it_begins_at_a_minimum():
    x, _ = models.data()
    model = models.compiled(linear, loss="mse")
    result = minimize(model, x, model.predict(x, verbose=0), method="lbfgs")
    assert result.stopped == "gradient"


def test_minimize_refuses_constraints_that_it_would_not_keep():
    x, y = models.data()

    def bounded():
        return keras.Sequential(
            [keras.Input((8,)), keras.layers.Dense(3, kernel_constraint="non_neg")]
        )

    model = models.compiled(bounded)
    before = models.weights_of(model)
    with pytest.raises(ValueError, match=r"without constraints.*kernel.*NonNeg"):
        minimize(model, x, y)
    assert models.same(before, models.weights_of(model))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x, y: (x[:, :2], y), "`validation_data`.*Keras says"),
        (lambda x, y: (x, y[:3]), "same number of rows"),
        (lambda x, y: x, "Keras says"),
    ],
    ids=["narrow", "few targets", "no targets"],
)
def test_minimize_refuses_validation_data_before_it_begins(spoil, message):
    x, y = models.data()
    model = models.compiled(models.functional)
    before = models.weights_of(model)
    with pytest.raises(ValueError, match=message):
        minimize(model, x, y, validation_data=spoil(x, y))
    assert models.same(before, models.weights_of(model))
