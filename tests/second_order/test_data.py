"""Batches are cut, joined and weighed without a row lost."""

import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.second_order.data import (
    batch_bytes,
    cut_batches,
    machine_memory,
    read_batches,
)

X, Y = np.arange(14.0).reshape(7, 2), np.arange(7)


@pytest.mark.parametrize(
    ("rows", "lengths"), [(3, [3, 3, 1, 2]), (7, [7, 2]), (99, [7, 2]), (1, [1] * 9)]
)
def test_batches_are_cut_into_pieces_each_for_itself(rows, lengths):
    batches = [({"a": X}, Y, None), ({"a": X[:2]}, Y[:2], None)]
    pieces = cut_batches(batches, rows)
    assert [len(y) for _, y, _ in pieces] == lengths
    np.testing.assert_array_equal(
        np.concatenate([x["a"] for x, _, _ in pieces]), np.concatenate([X, X[:2]])
    )
    assert all(weight is None for _, _, weight in pieces)
    assert all(np.shares_memory(x["a"], X) for x, _, _ in pieces)


def test_bytes_are_those_of_all_arrays_of_a_batch():
    batch = (
        {"a": np.zeros((3, 2), "float32"), "b": [np.zeros(5, "int64")]},
        None,
        np.zeros(3, bool),
    )
    assert batch_bytes(batch) == 3 * 2 * 4 + 5 * 8 + 3
    assert batch_bytes((None, None, None)) == 0


def test_the_memory_of_the_machine_is_told_in_bytes():
    with open("/proc/meminfo") as file:
        total = next(line for line in file if line.startswith("MemTotal"))
    told = 1024 * int(total.split()[1])
    assert machine_memory() == pytest.approx(told, rel=0.01)


def read(x, y=None, weight=None, class_weight=None):
    return read_batches(None, x, y, weight, class_weight)


def test_batches_that_fit_together_become_one():
    parts = [(X[:3], Y[:3]), (X[3:], Y[3:])]
    ((x, y, weight),) = read(iter(parts))
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)
    assert weight is None


def test_batches_of_other_shapes_or_with_other_parts_stay_apart():
    wide = np.ones((2, 3))
    assert [x.shape for x, _, _ in read(iter([(X,), (wide,)]))] == [(7, 2), (2, 3)]
    assert len(read(iter([(X, Y), (X, Y, Y)]))) == 2


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 2, 1]),
        np.array([[0], [2], [1]]),
        np.array([0.0, 2.0, 1.0]),
        np.eye(3)[[0, 2, 1]],
    ],
    ids=["numbers", "a column", "floats", "one-hot"],
)
def test_each_row_weighs_what_its_class_does(labels):
    weights = {0: 1.0, 1: 2.0, 2: 4.0}
    ((_, _, found),) = read(X[:3], labels, None, weights)
    assert found.tolist() == [1.0, 4.0, 2.0]
    ((_, _, found),) = read(X[:3], labels, np.array([[10.0], [1.0], [0.5]]), weights)
    assert found.tolist() == [10.0, 4.0, 1.0]


def test_class_weights_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"lacks \[2, 5\]"):
        read(X[:3], np.array([5, 2, 0]), None, {0: 1.0})
    with pytest.raises(ValueError, match="must map class numbers"):
        read(X[:3], np.array([1, 2, 0]), None, [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="of one output"):
        read(X[:3], [Y[:3], Y[:3]], None, {0: 1.0})


def test_data_without_an_end_are_refused():
    with pytest.raises(ValueError, match="must come to an end; use `take`"):
        read(tf.data.Dataset.from_tensors((X, Y)).repeat())
