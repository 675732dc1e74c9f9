"""What is recorded equals what a plain loop of one's own computes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import callbacks
from keras_trainkit.record import Readings
from tests import models
from tests.tolerances import FLOAT32

layers = keras.layers


def build(jit_compile=False, **optimizer):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(6, activation="relu", name="hidden"),
            layers.Dense(5, activation="tanh", name="bounded"),
            layers.Dense(
                3, name="output", kernel_regularizer=keras.regularizers.L2(2**-5)
            ),
        ]
    )
    model.compile(
        keras.optimizers.SGD(2**-2, momentum=0.5, **optimizer),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile,
    )
    return model


def reference(x, y, batch):
    """Trains in NumPy float64; the gradients come from a plain GradientTape."""
    model = build()
    variables = model.trainable_variables
    momentum = [np.zeros(v.shape) for v in variables]
    rows = []
    for step in range(len(x) // batch):
        part = slice(step * batch, (step + 1) * batch)
        with tf.GradientTape() as tape:
            values, value = {}, tf.constant(x[part])
            for layer in model.layers:
                value = layer(value)
                values[layer.name] = value
                tape.watch(value)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y[part], value)
            kernel = model.get_layer("output").kernel.value
            loss = tf.reduce_mean(losses) + 2**-5 * tf.reduce_sum(kernel**2)
        gradients = tape.gradient(
            loss, [[v.value for v in variables], list(values.values())]
        )
        row = {("loss", "", ""): float(loss), ("learning_rate", "", ""): 2**-2}
        for name, value, gradient in zip(
            values, values.values(), gradients[1], strict=True
        ):
            value, gradient = value.numpy().astype("f8"), gradient.numpy().astype("f8")
            row |= {
                ("activation_mean", name, ""): value.mean(),
                ("activation_std", name, ""): value.std(),
                ("zero_fraction", name, ""): (value == 0).mean(),
                ("activation_gradient_mean", name, ""): gradient.mean(),
                ("activation_gradient_std", name, ""): gradient.std(),
            }
            if name == "bounded":
                saturated = (np.abs(value) > 0.98).mean()
                row["saturated_fraction", name, ""] = saturated
        for index, variable in enumerate(variables):
            gradient = gradients[0][index].numpy().astype("f8")
            before = variable.numpy().astype("f8")
            momentum[index] = 0.5 * momentum[index] - 2**-2 * gradient
            update = momentum[index]
            variable.assign(before + update)
            key = variable.path.split("/")[-2:]
            size, length = np.linalg.norm(before), np.linalg.norm(update)
            row |= {
                ("weight_norm", *key): size,
                ("gradient_norm", *key): np.linalg.norm(gradient),
                ("update_norm", *key): length,
                ("update_ratio", *key): length / size if size else np.inf,
            }
        rows.append(row)
    return rows


def recorded(monitors, x, y, batch, **options):
    model = build(**options)
    model.fit(x, y, batch_size=batch, shuffle=False, verbose=0, callbacks=monitors)
    return monitors[0].record


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="graph"),
        pytest.param({"jit_compile": True}, id="xla"),
        pytest.param(
            {"loss_scale_factor": 16.0}, id="loss_scale", marks=pytest.mark.slow
        ),
    ],
)
def test_recorded_numbers_equal_a_plain_loop(options):
    x, y = models.data(examples=40)
    x = 2 * x
    monitors = [callbacks.UpdateRatioMonitor(), callbacks.LayerStatisticsMonitor()]
    record = recorded(monitors, x, y, 8, **options)
    rows = reference(x, y, 8)
    for key in rows[0]:
        steps, _, values = record.values(*key)
        assert steps.tolist() == list(range(5)), key
        expected = [row[key] for row in rows]
        # The reference rounds elsewhere, and five steps carry that on.
        np.testing.assert_allclose(
            values, expected, rtol=2e-4, atol=FLOAT32, err_msg=key
        )


def test_sampled_norms_are_close_to_the_whole_and_whole_ones_equal_it():
    def wide():
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [keras.Input((64,)), layers.Dense(200), layers.Dense(3)]
        )
        model.compile("adam", "mse", jit_compile=False)
        return model

    random = np.random.default_rng(0)
    x, y = random.normal(size=(32, 64)).astype("f4"), random.normal(size=(32, 3))
    norms = {}
    for entries in (None, 4000):
        monitor = callbacks.UpdateRatioMonitor(entries=entries)
        wide().fit(x, y, verbose=0, shuffle=False, callbacks=[monitor])
        norms[entries] = monitor.record.values("update_norm", "dense", "kernel")[2]
        keras.utils.clear_session()
    np.testing.assert_allclose(norms[4000], norms[None], rtol=0.1)
    assert not np.array_equal(norms[4000], norms[None])


def test_sample_measures_the_first_examples_only():
    x, y = models.data(examples=8)
    x[4:] = 1000.0
    monitor = callbacks.LayerStatisticsMonitor(sample=4)
    record = recorded([monitor], x, y, 8)
    model = build()
    expected = model.layers[0](x[:4]).numpy().std()
    np.testing.assert_allclose(
        record.values("activation_std", "hidden")[2], [expected], rtol=FLOAT32
    )


def test_shared_layer_is_measured_over_all_its_calls():
    keras.utils.set_random_seed(0)
    model = models.shared()
    twice = model.get_layer("twice")
    x, y = models.data(examples=16)
    first = twice(x).numpy()
    expected = np.concatenate([first, twice(first).numpy()]).mean()
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    monitor = callbacks.LayerStatisticsMonitor()
    model.fit(x, y, batch_size=16, shuffle=False, verbose=0, callbacks=[monitor])
    np.testing.assert_allclose(
        monitor.record.values("activation_mean", "twice")[2], [expected], rtol=FLOAT32
    )


def test_steps_are_recorded_one_by_one_within_steps_per_execution():
    x, y = models.data()
    losses = {}
    for together in (1, 3):
        model = models.compiled(models.small, steps_per_execution=together)
        monitor = callbacks.LossMonitor()
        model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[monitor])
        losses[together] = monitor.losses
    assert len(losses[1]) == 12
    np.testing.assert_array_equal(losses[1], losses[3])


@pytest.mark.slow
def test_replicas_together_record_what_one_device_does(two_replicas):
    x, y = models.data(examples=32)
    records = {}
    for count in (1, 2):
        strategy = tf.distribute.get_strategy() if count == 1 else two_replicas
        with strategy.scope():
            model = build()
        monitors = [callbacks.UpdateRatioMonitor(), callbacks.LayerStatisticsMonitor()]
        model.fit(x, y, batch_size=16, shuffle=False, verbose=0, callbacks=monitors)
        records[count] = (
            monitors[0]
            .record.to_frame()
            .set_index(["measure", "layer", "variable", "step"])["value"]
        )
    one, two = records[1].align(records[2], join="inner")
    shared = [name for name in one.index.levels[0] if not name.startswith("epoch")]
    one, two = one.loc[shared], two.loc[shared]
    local = "activation_gradient"  # of a replica's share of the loss: scaled alike
    assert any(name.startswith(local) for name in shared)
    np.testing.assert_allclose(two, one, rtol=1e-3, atol=FLOAT32)


def test_accumulated_gradients_are_read_at_the_step_that_updates():
    x, y = models.data()
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=3)
    model = models.compiled(models.small, optimizer=optimizer)
    monitor = callbacks.UpdateRatioMonitor(every=2)
    model.fit(x, y, batch_size=4, verbose=0, callbacks=[monitor])
    steps, _, ratios = monitor.record.values("update_ratio", "hidden", "kernel")
    assert steps.tolist() == [2, 8]
    assert (ratios > 0).all()


def test_dead_fraction_counts_units_silent_on_every_batch():
    keras.utils.set_random_seed(0)
    model = models.small()
    hidden = model.get_layer("hidden")
    kernel, bias = hidden.get_weights()
    bias[:2] = -1000.0
    hidden.set_weights([kernel, bias])
    hidden.trainable = False
    model.compile("sgd", models.CROSSENTROPY, jit_compile=False)
    monitor = callbacks.LayerStatisticsMonitor()
    model.fit(*models.data(), batch_size=16, epochs=2, verbose=0, callbacks=[monitor])
    dead = monitor.record.to_frame(measure="dead_fraction")
    assert dead.layer.unique().tolist() == ["hidden"]
    np.testing.assert_allclose(dead.value, [2 / 6, 2 / 6], rtol=FLOAT32)


def test_first_tensor_that_is_not_finite_is_named_with_its_step():
    x, y = models.data(examples=40)
    x[24:, 0] = np.inf
    model = build()
    monitors = [
        callbacks.UpdateRatioMonitor(every=1),
        callbacks.LayerStatisticsMonitor(every=1),
    ]
    model.fit(x, y, batch_size=8, shuffle=False, verbose=0, callbacks=monitors)
    first = Readings(monitors[0].record).first_nonfinite
    assert (first.step, first.series.tensor_name) == (3, "hidden/activation")


def test_loss_that_is_not_finite_is_read_though_not_due_where_steps_run_together():
    x, y = models.data(examples=32)
    x[24:, 0] = np.inf
    model = models.compiled(models.small, optimizer="sgd", steps_per_execution=2)
    monitor = callbacks.UpdateRatioMonitor(every=2)
    model.fit(x, y, batch_size=8, shuffle=False, verbose=0, callbacks=[monitor])
    steps, _, _ = monitor.record.values("nonfinite_count", "hidden", "kernel", "weight")
    assert steps.tolist() == [0, 2, 3]


def test_steps_that_are_not_due_are_recorded_with_their_loss_alone():
    x, y = models.data()
    monitors = [
        callbacks.UpdateRatioMonitor(every=3),
        callbacks.LayerStatisticsMonitor(every=4),
    ]
    model = models.compiled(models.small, optimizer="sgd")
    model.fit(x, y, batch_size=6, epochs=2, verbose=0, callbacks=monitors)
    record = monitors[0].record
    assert record.values("loss")[0].tolist() == list(range(16))
    ratios = record.values("update_ratio", "hidden", "kernel")[0]
    assert ratios.tolist() == [0, 3, 6, 9, 12, 15]
    means = record.values("activation_mean", "hidden")[0]
    assert means.tolist() == [0, 4, 8, 12]


def test_dictionary_outputs_are_measured_by_key_and_integers_left_out():
    model = models.compiled(models.WithDictionary)
    monitor = callbacks.LayerStatisticsMonitor()
    model.fit(*models.data(), verbose=0, callbacks=[monitor])
    names = {series.layer for series in monitor.record.select("activation_mean")}
    assert any(name.endswith(".value") for name in names)
    assert not any(name.endswith(".sign") for name in names)


def test_full_rings_are_emptied_within_an_epoch(monkeypatch):
    from keras_trainkit.recording import ring

    monkeypatch.setattr(ring, "_ROWS", (4, 4))
    monitors = [callbacks.LossMonitor(), callbacks.UpdateRatioMonitor()]
    model = models.compiled(models.small, steps_per_execution=2)
    model.fit(*models.data(), batch_size=4, verbose=0, callbacks=monitors)
    steps, _, _ = monitors[0].record.values("update_ratio", "hidden", "kernel")
    assert len(monitors[0].losses) == 12
    assert steps.tolist() == list(range(12))


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_steps_of_a_call_that_ended_with_the_data_are_recorded():
    x, y = models.data(examples=8)
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    batches = batches.filter(lambda *_: True)  # of a length that is not known
    monitor = callbacks.LossMonitor()
    model = models.compiled(models.small, steps_per_execution=2)
    model.fit(batches, shuffle=False, verbose=0, callbacks=[monitor])
    assert len(monitor.losses) == int(model.optimizer.iterations.numpy()) == 1


def test_hidden_layers_that_end_in_a_sigmoid_or_a_softmax_have_gradients():
    x, y = models.data(16)
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(6, activation="sigmoid", name="hidden"),
            layers.Dense(5, activation="softmax", name="gate"),
            layers.Dense(3, activation="softmax", name="output"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    with tf.GradientTape() as tape:
        hidden = model.layers[0](x)
        tape.watch(hidden)
        gate = model.layers[1](hidden)
        tape.watch(gate)
        loss = tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(y, model.layers[2](gate))
        )
    wanted = [value.numpy().std() for value in tape.gradient(loss, [hidden, gate])]
    monitor = callbacks.LayerStatisticsMonitor(every=1, sample=None)
    model.fit(x, y, batch_size=16, epochs=1, verbose=0, callbacks=[monitor])
    found = [
        monitor.record.values("activation_gradient_std", name)[2][0]
        for name in ("hidden", "gate", "output")
    ]
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:2], wanted, rtol=10 * FLOAT32)


def test_the_recorded_rate_is_one_that_is_in_use():
    model = models.compiled(models.TwoOptimizers)
    for value in vars(model).values():
        if isinstance(value, keras.optimizers.Optimizer):
            value.learning_rate = 2**-6
    model.optimizer.learning_rate = 2**-1
    monitor = callbacks.LossMonitor()
    model.fit(*models.data(), batch_size=16, verbose=0, callbacks=[monitor])
    rates = monitor.record.values("learning_rate")[2]
    assert set(rates.tolist()) == {2**-6}
