"""What every schedule of the room promises, newcomers included."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_trainkit import optimizers, schedules
from tests.tolerances import EXACT, FLOAT32, FLOAT64

KERAS = keras.optimizers.schedules.CosineDecay(0.1, 20)
SPECIMENS = {
    "StepDecay": [(0.1, 0.5, 7)],
    "ExponentialDecay": [(0.1, 0.05), (0.1, 0)],
    "InverseTimeDecay": [(0.1, 0.05)],
    "Linear": [(0.5, 0.99, 20), (0.1, 0.0, 1)],
    "Warmup": [(schedules.CosineRestarts(0.1, 10), 5), (0.1, 3), (KERAS, 4)],
    "OneCycle": [(0.1, 30), (0.85, 30, 0.95, 0.95), (1, 1)],
    "CosineRestarts": [(0.1, 9), (0.1, 3, 2.0, 0.5, 0.01), (0.1, 2, 1.5)],
    "Join": [([0.1, schedules.Linear(0.1, 0, 9), KERAS], [5, 14])],
}
CONTINUOUS = ["ExponentialDecay", "InverseTimeDecay", "Linear", "Warmup", "OneCycle"]
NAMES = [
    name
    for name in schedules.__all__
    if isinstance(getattr(schedules, name), type)
    and issubclass(getattr(schedules, name), schedules.Schedule)
    and name != "Schedule"
]
CASES = [
    pytest.param(getattr(schedules, name)(*arguments), id=f"{name}-{number}")
    for name in NAMES
    for number, arguments in enumerate(SPECIMENS[name])
]
each = pytest.mark.parametrize("schedule", CASES)


@each
def test_values_are_finite_and_not_negative(schedule):
    values = schedule.values(200)
    assert np.isfinite(values).all()
    assert (values >= 0).all()


@each
def test_value_is_the_same_for_every_kind_of_step(schedule):
    traced = tf.function(schedule)
    compiled = tf.function(schedule, jit_compile=True)
    for step in (0, 1, 6, 7, 50):
        kinds = [
            step,
            np.int64(step),
            float(step),
            tf.constant(step, tf.int64),
            tf.constant(step, tf.int32),
            keras.Variable(step, dtype="int64"),
        ]
        found = {float(schedule(kind)) for kind in kinds}
        found.add(float(traced(tf.constant(step))))
        assert len(found) == 1
        xla = float(compiled(tf.constant(step, tf.int64)))
        np.testing.assert_allclose(xla, found.pop(), rtol=FLOAT32, atol=1e-12)


@each
def test_call_equals_values_in_floatx(schedule):
    values = schedule.values(60)
    called = schedule(59)
    assert called.dtype == "float32"
    np.testing.assert_allclose(float(called), values[59], rtol=FLOAT32, atol=1e-12)


@each
def test_schedule_survives_serialisation(schedule):
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(schedule)
    )
    assert type(copy) is type(schedule)
    np.testing.assert_allclose(copy.values(99), schedule.values(99), rtol=EXACT)


@each
def test_schedule_survives_the_optimizer_of_a_model(schedule, tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizers.SGD(schedule), "mse", run_eagerly=True)
    model.train_on_batch(np.ones((4, 2)), np.ones((4, 1)))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert float(loaded.optimizer.learning_rate) == float(schedule(1))


@pytest.mark.parametrize(
    "schedule", [case for case in CASES if case.id.split("-")[0] in CONTINUOUS]
)
@settings(deadline=None, derandomize=True, max_examples=25)
@given(time=st.floats(0, 60))
def test_continuous_schedule_has_no_jumps(schedule, time):
    if isinstance(schedule, schedules.Warmup) and not isinstance(
        schedule.schedule, float
    ):
        time = min(time, schedule.steps + 1)  # what follows may jump
    near = tf.constant([time, time + 1e-7], tf.float64)
    first, second = schedule.value(near).numpy()
    assert abs(first - second) < 1e-5


def test_step_decay_drops_every_so_many_steps():
    values = schedules.StepDecay(0.8, factor=0.5, every=3).values(7)
    assert values.tolist() == [0.8] * 3 + [0.4] * 3 + [0.2]


def test_decays_equal_their_formulas():
    t = np.arange(50.0)
    exponential = schedules.ExponentialDecay(0.1, 0.03).values(50)
    inverse = schedules.InverseTimeDecay(0.1, 0.03).values(50)
    np.testing.assert_allclose(exponential, 0.1 * np.exp(-0.03 * t), rtol=FLOAT64)
    np.testing.assert_allclose(inverse, 0.1 / (1 + 0.03 * t), rtol=FLOAT64)


def test_decays_equal_keras():
    inverse = keras.optimizers.schedules.InverseTimeDecay(0.1, 1, 0.03)
    restarts = keras.optimizers.schedules.CosineDecayRestarts(0.1, 8, 2.0, 0.5)
    ours = (
        schedules.InverseTimeDecay(0.1, 0.03),
        schedules.CosineRestarts(0.1, 8, 2, 0.5),
    )
    for one, other in zip(ours, (inverse, restarts), strict=True):
        expected = [float(other(step)) for step in range(50)]
        # Keras works in float32, also inside of the cosine.
        np.testing.assert_allclose(one.values(50), expected, atol=1e-7)


def test_warmup_ends_where_the_schedule_starts():
    values = schedules.Warmup(schedules.StepDecay(0.4, 0.5, 2), steps=3).values(8)
    np.testing.assert_allclose(values, [0.1, 0.2, 0.3, 0.4, 0.4, 0.2, 0.2, 0.1])


def test_one_cycle_turns_where_it_says():
    values = schedules.OneCycle(1.0, steps=40, start=0.2, end=0.1, rise=0.25).values(50)
    assert values.argmax() == 10
    np.testing.assert_allclose(
        values[[0, 5, 10, 25, 40, 49]], [0.2, 0.6, 1, 0.55, 0.1, 0.1]
    )


def test_cosine_restarts_start_cycles_at_their_ends():
    for factor in (1.0, 1.5, 2.0, 3.0):
        schedule = schedules.CosineRestarts(0.1, 4, period_factor=factor)
        ends = schedule.cycle_ends(5)
        values = schedule.values(ends[-1] + 1)
        jumps = np.flatnonzero(np.diff(values) > 0) + 1
        assert jumps.tolist() == ends


def test_join_restarts_the_clock():
    joined = schedules.Join([1.0, schedules.Linear(0.5, 0.0, 2)], [3])
    assert joined.values(7).tolist() == [1, 1, 1, 0.5, 0.25, 0, 0]


def test_in_epochs_counts_steps():
    by_epoch = schedules.StepDecay.in_epochs(0.1, 0.5, every=2, steps_per_epoch=10)
    assert by_epoch.get_config() == schedules.StepDecay(0.1, 0.5, 20).get_config()
    slow = schedules.ExponentialDecay.in_epochs(0.1, rate=0.5, steps_per_epoch=10)
    assert slow.rate == 0.05
    joined = schedules.Join.in_epochs([0.2, 0.1], [1.5], steps_per_epoch=10)
    assert joined.boundaries == [15]


BAD = [
    ("StepDecay", (0.1, 0.0, 5), "`factor` must be a finite number > 0 and <= 1"),
    ("StepDecay", (0.1, 1.5, 5), "Received: factor=1.5"),
    ("StepDecay", (-0.1, 0.5, 5), "Received: initial_learning_rate=-0.1"),
    ("StepDecay", (0.1, 0.5, 0), "`every` must be an integer >= 1"),
    ("ExponentialDecay", (0.1, -1), "Received: rate=-1"),
    ("InverseTimeDecay", (0.1, float("inf")), "Received: rate=inf"),
    ("Linear", (0.1, 0.2, 2.5), "Received: steps=2.5"),
    ("Warmup", ("slow", 5), "`schedule` must be a number >= 0 or a learning-rate"),
    ("Warmup", (0.1, 0), "Received: steps=0"),
    ("OneCycle", (0.1, 10, None, None, 1.0), "Received: rise=1.0"),
    ("CosineRestarts", (0.1, 10, 0.5), "Received: period_factor=0.5"),
    ("CosineRestarts", (0.1, 10, 1, 2), "Received: peak_factor=2"),
    ("Join", ([0.1], []), "`schedules` must be a list of two or more"),
    ("Join", ([0.1, 0.2], [1, 2]), "`boundaries` must be a list of 1 steps"),
    ("Join", ([0.1, 0.2, 0.3], [5, 5]), "`boundaries` must increase"),
    ("Join", ([0.1, -0.2], [5]), "Received: schedules=-0.2"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD, ids=str)
def test_bad_argument_is_named(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(schedules, name)(*arguments)


def test_in_epochs_wants_the_steps_of_an_epoch():
    with pytest.raises(ValueError, match="Received: rate='slow'"):
        schedules.ExponentialDecay.in_epochs(0.1, "slow", steps_per_epoch=5)
    with pytest.raises(ValueError, match="Received: steps_per_epoch=0"):
        schedules.StepDecay.in_epochs(0.1, 0.5, 1, steps_per_epoch=0)


def test_schedule_without_formula_says_so():
    with pytest.raises(NotImplementedError, match="Schedule must define `value`"):
        schedules.Schedule()(0)


def test_plot_draws_the_values():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    schedule = schedules.StepDecay(0.1, 0.5, 5)
    axes = schedule.plot(20)
    schedules.Linear(0.1, 0, 20).plot(20, axes=axes, label="line")
    assert [line.get_label() for line in axes.lines] == ["StepDecay", "line"]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), schedule.values(20))
    pyplot.close("all")


def test_plot_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        schedules.StepDecay(0.1, 0.5, 5).plot()
