"""Sparse gradients: each row counted once, and only the rows touched."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from keras_trainkit.optimizers.rows import Rows, as_rows, nonzero_rows
from tests.optimizers.rules import FEW_RULES, RATE, RULES
from tests.tolerances import FLOAT64

each_rule = pytest.mark.parametrize("name", RULES)
few_rules = pytest.mark.parametrize("name", FEW_RULES)
IDS = np.array([[3, 3, 0], [3, 1, 7], [0, 0, 5], [7, 7, 7]])
OPTIONS = {
    "bare": {},
    "clipnorm": {"clipnorm": 0.02},
    "global_clipnorm": {"global_clipnorm": 0.02},
    "clipvalue": {"clipvalue": 0.002},
    "weight_decay": {"weight_decay": 0.5},
    "average": {"use_ema": True, "ema_overwrite_frequency": 3},
    "micro_steps": {"gradient_accumulation_steps": 2},
    "loss_scale": {"loss_scale_factor": 64.0},
}


def table_after(optimizer, one_hot, steps=20):
    """Returns the table of an embedding, or of its one-hot dense twin."""
    generator = np.random.default_rng(2)
    table = keras.Variable(generator.normal(size=(9, 4)), dtype="float64")
    kernel = keras.Variable(generator.normal(size=(4, 1)), dtype="float64")
    y = generator.normal(size=(4, 1))
    optimizer.build([table, kernel])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            if one_hot:
                rows = tf.one_hot(IDS, 9, dtype=tf.float64) @ table.value
            else:
                rows = tf.gather(table.value, IDS)
            error = tf.reduce_mean(rows, axis=1) @ kernel.value - y
            loss = tf.reduce_mean(optimizer.scale_loss(error**2))
        gradients = tape.gradient(loss, [table.value, kernel.value])
        assert isinstance(gradients[0], tf.IndexedSlices) != one_hot
        optimizer.apply(gradients, [table, kernel])

    for _ in range(steps):
        step()
    return table.numpy()


@few_rules
@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
def test_table_equals_its_one_hot_twin(name, options):
    sparse = table_after(RULES[name](RATE, **options), one_hot=False)
    dense = table_after(RULES[name](RATE, **options), one_hot=True)
    # Summing in another order, then 20 steps of rules that divide by gradients.
    np.testing.assert_allclose(sparse, dense, rtol=1000 * FLOAT64)


def trained_table(optimizer, layer, **options):
    """Returns the table of a model with an embedding, or with its dense twin."""
    keras.utils.set_random_seed(1)
    if layer is keras.layers.Dense:
        reader = layer(4, use_bias=False)
        first = [keras.layers.Lambda(lambda ids: keras.ops.one_hot(ids, 9)), reader]
    else:
        reader = layer(9, 4)
        first = [reader]
    average, last = keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(1)
    model = keras.Sequential([keras.Input((3,), dtype="int32"), *first, average, last])
    generator = np.random.default_rng(2)
    model.compile(optimizer, "mse", **{"jit_compile": False, **options})
    model.set_weights([generator.normal(size=w.shape) for w in model.get_weights()])
    y = generator.normal(size=(4, 1)).astype("float32")
    for _ in range(20):
        model.train_on_batch(IDS, y)
    return reader.weights[0].numpy()


@functools.cache
def twin_table(name):
    return trained_table(RULES[name](RATE), keras.layers.Dense)


@pytest.mark.parametrize(
    ("layer", "options"),
    [
        pytest.param(tk.layers.Embedding, {}, id="graph"),
        pytest.param(tk.layers.Embedding, {"jit_compile": True}, id="jit"),
        pytest.param(keras.layers.Embedding, {}, id="keras-graph"),
        *(
            pytest.param(layer, options, id=name, marks=pytest.mark.slow)
            for layer, options, name in (
                (tk.layers.Embedding, {"run_eagerly": True}, "eager"),
                (keras.layers.Embedding, {"jit_compile": True}, "keras-jit"),
                (keras.layers.Embedding, {"run_eagerly": True}, "keras-eager"),
            )
        ),
    ],
)
@few_rules
def test_embedding_equals_its_one_hot_twin(name, layer, options):
    sparse = trained_table(RULES[name](RATE), layer, **options)
    np.testing.assert_allclose(sparse, twin_table(name), atol=1e-6)  # promised to users


def sparse_steps(optimizer, batches, start):
    table = keras.Variable(start, dtype="float64")
    positions = []
    for ids, values in batches:
        gradient = tf.IndexedSlices(tf.constant(values), tf.constant(ids), (4, 1))
        optimizer.apply([gradient], [table])
        positions.append(table.numpy())
    return positions


@each_rule
@pytest.mark.parametrize("micro_steps", [None, 2])
def test_lazy_rule_leaves_untouched_rows_and_their_state_alone(name, micro_steps):
    optimizer = RULES[name](
        RATE, lazy=True, weight_decay=0.5, gradient_accumulation_steps=micro_steps
    )
    step = ([1, 3, 1], [[1.0], [2.0], [3.0]])
    repeats = micro_steps or 1
    start = np.arange(4.0)[:, None] + 1
    first = sparse_steps(optimizer, [step] * repeats, start)[-1]
    other = ([0], [[1.0]])
    table = sparse_steps_continue(optimizer, [other] * repeats)
    np.testing.assert_array_equal(first[[0, 2]], start[[0, 2]])
    np.testing.assert_array_equal(table[1:], first[1:])
    assert (table[0] != first[0]).all()


def sparse_steps_continue(optimizer, batches):
    (table,) = optimizer._trainable_variables
    for ids, values in batches:
        gradient = tf.IndexedSlices(tf.constant(values), tf.constant(ids), (4, 1))
        optimizer.apply([gradient], [table])
    return table.numpy()


@each_rule
def test_lazy_rule_moves_touched_rows_as_the_dense_rule_does(name):
    step = ([1, 3, 1], [[1.0], [2.0], [3.0]])
    lazy = sparse_steps(RULES[name](RATE, lazy=True), [step] * 5, np.ones((4, 1)))
    dense = keras.Variable(np.ones((4, 1)), dtype="float64")
    optimizer = RULES[name](RATE)
    for _ in range(5):
        gradient = tf.constant([[0.0], [4.0], [0.0], [2.0]], tf.float64)
        optimizer.apply([gradient], [dense])
    rows = [1, 3]
    np.testing.assert_allclose(lazy[-1][rows], dense.numpy()[rows], rtol=FLOAT64)


def tensors_as_big_as(table, optimizer, ids):
    @tf.function
    def step(values):
        gradient = tf.IndexedSlices(values, tf.constant(ids), table.shape)
        optimizer.apply([gradient], [table])

    graph = step.get_concrete_function(tf.zeros((len(ids), table.shape[1]))).graph
    size = int(np.prod(table.shape))
    return [
        operation.type
        for operation in graph.get_operations()
        for output in operation.outputs
        if (output.shape.num_elements() or 0) >= size
    ]


@each_rule
def test_row_wise_update_makes_no_temporary_as_big_as_the_table(name):
    lazy = not RULES[name].rests_at_zero
    table = keras.Variable(np.zeros((100, 4)))
    optimizer = RULES[name](0.1, lazy=lazy, global_clipnorm=1.0)
    optimizer.build([table])
    assert tensors_as_big_as(table, optimizer, [1, 5, 5]) == []


def test_keras_update_would_be_caught_making_a_table_sized_temporary():
    table = keras.Variable(np.zeros((100, 4)))
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build([table])
    assert tensors_as_big_as(table, optimizer, [1, 5, 5]) != []


def test_summed_rows_hold_each_id_once():
    rows = Rows(tf.constant([2, 0, 2]), tf.constant([[1.0], [2.0], [4.0]]), (3, 1))
    summed = rows.summed()
    assert summed.ids.numpy().tolist() == [2, 0]
    assert summed.values.numpy().tolist() == [[5.0], [2.0]]


def test_nonzero_rows_keep_nan():
    rows = nonzero_rows(tf.constant([[0.0, 0.0], [np.nan, 0.0], [0.0, 1.0]]))
    assert rows.ids.numpy().tolist() == [1, 2]


def test_empty_batch_of_rows_changes_nothing():
    empty = ([], np.zeros((0, 1)))
    batch = [(np.array(empty[0], "int32"), empty[1])]
    positions = sparse_steps(tk.optimizers.Adagrad(0.1), batch, np.ones((4, 1)))
    np.testing.assert_array_equal(positions[0], 1.0)


def test_only_gradients_of_some_rows_become_rows():
    values, ids = tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([4, 1])
    found = as_rows(tf.IndexedSlices(values, ids), tf.TensorShape([5, 2]))
    assert found.ids is ids
    assert found.values is values
    assert type(found.shape) is tuple
    assert found.shape == (5, 2)
    dense = np.zeros((5, 2))
    np.add.at(dense, [4, 1], values.numpy())
    np.testing.assert_array_equal(tf.convert_to_tensor(found.slices()), dense)
    gradient = tf.ones([5, 2])
    assert as_rows(gradient, (5, 2)) is gradient
    assert as_rows(None, (5, 2)) is None
