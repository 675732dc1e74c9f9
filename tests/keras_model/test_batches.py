"""One reader for whatever a user would pass to `fit`, in any nesting."""

from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_trainkit.keras_model.arrays import as_arrays, row_count
from keras_trainkit.keras_model.batches import (
    Batches,
    draw_rows,
    fixed_batch_size,
    input_symbols,
    is_stream,
    layer_rows,
    take_batch,
)

torch = pytest.importorskip("torch")

X, Y = np.arange(20.0).reshape(10, 2), np.arange(10)
RANDOM = settings(max_examples=40, deadline=None, derandomize=True, database=None)

HOLDERS = {
    "array": lambda array: array,
    "list": lambda array: array.tolist(),
    "tensor": tf.constant,
    "variable": tf.Variable,
    "torch": torch.tensor,
    "frame": lambda array: (pd.DataFrame if array.ndim == 2 else pd.Series)(array),
    "objects": lambda array: array.astype(object),
    "sparse": scipy.sparse.csc_matrix,
    "sparse array": scipy.sparse.coo_array,
    "sparse tensor": lambda array: tf.sparse.from_dense(array),
}
NUMBERS_ONLY = ("torch", "sparse", "sparse array", "sparse tensor", "variable")


@st.composite
def parts(draw, rows):
    """One array, what holds it, and the rows it stands for."""
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    shape = (rows, *draw(st.sampled_from([(), (1,), (3,), (2, 2)])))
    kind = draw(st.sampled_from(["float32", "float64", "int64", "bool", "str"]))
    array = random.integers(0, 3, shape)
    array = array.astype("<U3") if kind == "str" else array.astype(kind)
    holders = [
        name
        for name in HOLDERS
        if (kind != "str" or name not in NUMBERS_ONLY)
        and (len(shape) == 2 or "sparse" not in name)
        and (len(shape) < 3 or name != "frame")
        and (kind != "bool" or name != "objects")
    ]
    holder = draw(st.sampled_from(holders))
    return HOLDERS[holder](array), array


@st.composite
def structures(draw, rows):
    """The same for nested parts: as a user holds them, and as arrays."""
    shape = draw(st.sampled_from(["one", "list", "tuple", "dict", "nested"]))
    if shape == "one":
        return draw(parts(rows))
    held, arrays = zip(*[draw(parts(rows)) for _ in range(3)], strict=True)
    make = {
        "list": list,
        "tuple": tuple,
        "dict": lambda three: dict(zip("bca", three, strict=True)),
        "nested": lambda three: {"one": three[0], "two": [three[1], three[2]]},
    }[shape]
    if shape != "dict" and any(isinstance(one, list) for one in held):
        # Lists in a list are the rows of one array.
        held = arrays
    return make(held), make(arrays)


def same(one, other):
    tf.nest.assert_same_structure(one, other)
    for left, right in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        left = left.toarray() if hasattr(left, "toarray") else left
        assert np.array_equal(np.asarray(left).astype(right.dtype), right)


@RANDOM
@given(st.data(), st.integers(1, 9), st.integers(1, 4))
def test_batches_give_every_row_once_whatever_holds_it(data, rows, size):
    x, x_arrays = data.draw(structures(rows))
    y, y_arrays = data.draw(structures(rows))
    batches = Batches(x, y)
    read = list(batches.each(size))
    assert [row_count(*batch) for batch in read[:-1]] == [size] * (len(read) - 1)
    whole = tf.nest.map_structure(
        lambda *leaves: None if leaves[0] is None else np.concatenate(leaves), *read
    )
    same(whole[0], x_arrays)
    same(whole[1], y_arrays)
    assert whole[2] is None


class Pages(keras.utils.PyDataset):
    def __init__(self, batches):
        super().__init__()
        self.batches, self.ended = batches, 0

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]

    def on_epoch_end(self):
        self.ended += 1


def tuples(structure):
    if isinstance(structure, dict):
        return {key: tuples(part) for key, part in structure.items()}
    if isinstance(structure, list | tuple):
        return tuple(tuples(part) for part in structure)
    return structure


def dataset(batches):
    rows = tf.nest.map_structure(lambda *leaves: np.concatenate(leaves), *batches)
    return tf.data.Dataset.from_tensor_slices(rows).batch(4)


SOURCES = {
    "dataset": dataset,
    "keras dataset": Pages,
    "generator": lambda batches: (batch for batch in batches),
    "iterator": iter,
    "loader": lambda batches: torch.utils.data.DataLoader(batches, batch_size=None),
}


@RANDOM
@given(st.data(), st.integers(1, 9), st.sampled_from(sorted(SOURCES)))
def test_batches_read_what_yields_them(data, rows, source):
    count = data.draw(st.integers(1, 3))
    arrays = [data.draw(structures(rows))[1] for _ in range(count)]
    if source == "dataset":
        arrays = [tuples(one) for one in arrays]  # where a list would be a tensor
    if source == "loader" and any(a.dtype.kind == "U" for a in tf.nest.flatten(arrays)):
        return
    element = tuple(arrays)
    batches = [
        tf.nest.map_structure(lambda a, s=start: a[s : s + 4], element)
        for start in range(0, rows, 4)
    ]
    reader = Batches(SOURCES[source](batches))
    for _ in range(1 if source in ("generator", "iterator") else 2):
        read = list(reader.each())
        assert len(read) == len(batches)
        for found, batch in zip(read, batches, strict=True):
            found = found[: len(batch)]
            for left, right in zip(
                tf.nest.flatten(found), tf.nest.flatten(batch), strict=True
            ):
                assert np.array_equal(np.asarray(left).astype(right.dtype), right)


@RANDOM
@given(st.data(), st.integers(1, 6), st.integers(1, 6))
def test_unequal_rows_are_named(data, rows, others):
    x, _ = data.draw(structures(rows))
    y, _ = data.draw(structures(others))
    if rows == others:
        return
    with pytest.raises(ValueError, match="same number of rows"):
        Batches(x, y)


JUNK = {
    "none": None,
    "number": 3,
    "text": "abc",
    "function": len,
    "set": {1, 2},
    "type": int,
    "symbol": keras.KerasTensor((None, 2)),
    "scalar": np.float32(1),
    "object": SimpleNamespace(a=1),
    "objects": np.array([{}, None], object),
    "dates": np.array(["2020-01-01"], "datetime64[D]"),
    "uneven": [[1, 2], [3]],
    "ragged": tf.ragged.constant([[1, 2], [3]]),
    "empty": [],
    "empty list of batches": iter([]),
    "no rows": np.zeros((0, 3)),
    "numbers in turn": iter([1, 2]),
    "texts in turn": iter(["a", "b"]),
    "four parts": iter([(X, X, X, X)]),
    "unbatched": tf.data.Dataset.from_tensor_slices((X, Y)),
    "array beside a number": [X, 3],
    "dictionary of none": {"a": None},
}


@pytest.mark.parametrize("kind", JUNK, ids=str)
def test_what_fit_would_not_take_is_one_sentence(kind):
    with pytest.raises(ValueError, match=r"must .* Received: ") as caught:
        Batches(JUNK[kind])
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("shape", [(4,), (8, 8, 1)], ids=str)
def test_single_examples_are_told_from_batches_by_the_model(shape):
    model = keras.Sequential([keras.Input(shape), keras.layers.Flatten()])
    data = tf.data.Dataset.from_tensor_slices(np.ones((9, *shape)))
    with pytest.raises(ValueError, match=r"need .batch\(32\) first"):
        Batches(data, model=model)
    assert Batches(data.batch(3), model=model).first(5)[0].shape == (6, *shape)


def test_targets_beside_a_stream_are_refused():
    with pytest.raises(ValueError, match="`y` must be None where `x` yields"):
        Batches(iter([(X, Y)]), Y)


def test_a_stream_is_not_read_twice_for_a_look():
    passes = []

    def counted():
        passes.append(1)
        yield X, Y

    data = tf.data.Dataset.from_generator(
        counted, output_signature=(tf.TensorSpec((10, 2)), tf.TensorSpec((10,)))
    )
    Batches(data).first(10)
    assert len(passes) == 1
    pages = Pages([(X, Y)])
    assert len(list(zip(range(5), Batches(pages).endless(), strict=False))) == 5
    assert pages.ended == 0


def test_endless_hands_over_what_fit_does():
    x = next(Batches(X).endless(4))
    assert x.shape == (4, 2)
    assert x.dtype == "float32"
    pair = next(Batches({"a": X}, Y).endless(4))
    assert pair[0]["a"].shape == (4, 2)
    assert pair[1].dtype == Y.dtype
    batch = {"a": X}
    assert next(Batches(iter([batch])).endless()) is batch
    epochs = [y for _, (_, y) in zip(range(4), Batches(X, Y).endless(5), strict=False)]
    assert sorted(np.concatenate(epochs[:2])) == sorted(Y)
    assert not np.array_equal(epochs[0], epochs[2])


def test_batches_padded_each_for_itself_give_those_like_the_first():
    batches = [(np.ones((2, width)), np.ones(2)) for width in (3, 4, 3)]
    x, _, _ = Batches(iter(batches)).first(100)
    assert x.shape == (4, 3)


@pytest.mark.parametrize("kind", ["array", "list", "tensor", "frame", "sparse"])
def test_take_batch_draws_the_same_rows_of_every_array(kind):
    x = {"a": HOLDERS[kind](X), "b": HOLDERS[kind](-X)}
    x, y, weight = take_batch(x, Y, Y / 2, examples=4, seed=1)
    assert x["a"].shape == (4, 2)
    assert np.array_equal(x["a"], -x["b"])
    assert np.array_equal(x["a"][:, 0], 2 * y)
    assert np.array_equal(y / 2, weight)
    assert sorted(set(y)) == y.tolist()


def test_spread_looks_at_all_of_the_arrays_in_order():
    _, y, _ = Batches(X, Y).spread(4)
    assert y.tolist() == [0, 3, 6, 9]


def test_a_sequential_model_that_a_call_built_takes_any_number_of_rows():
    model = keras.Sequential([keras.layers.Dense(1)])
    model(X[:4])
    assert model.inputs[0].shape[0] == 4
    assert fixed_batch_size(model) is None


@keras.saving.register_keras_serializable("test_batches")
class InRows(keras.layers.Layer):
    """Knows the number of rows from the shape it was built with."""

    def build(self, input_shape):
        self.rows = input_shape[0]

    def call(self, inputs):
        return keras.ops.reshape(inputs, (self.rows, -1))


def test_a_fixed_batch_size_is_kept():
    model = keras.Sequential([InRows(), keras.layers.Dense(1)])
    model(X[:4])
    assert fixed_batch_size(model) == 4
    x = keras.Input(batch_shape=(4, 2))
    model = keras.Model(x, keras.layers.Dense(1)(x))
    assert fixed_batch_size(model) == 4
    assert len(take_batch(X, Y, examples=2, seed=0, model=model)[0]) == 4
    with pytest.raises(ValueError, match="fixed batch size"):
        take_batch(X[:3], Y[:3], examples=2, seed=0, model=model)
    layer = keras.layers.LSTM(3, stateful=True)
    layer(np.ones((5, 2, 2)))
    assert fixed_batch_size(layer) == 5
    assert fixed_batch_size(keras.Sequential([keras.layers.Dense(1)])) is None


def test_layer_rows_takes_several_arguments_and_scalars():
    query, nothing, factor = layer_rows(
        keras.layers.Layer(), (X, None, 0.5), examples=3, seed=0
    )
    assert query.shape == (3, 2)
    assert nothing is None
    assert factor == 0.5


def test_lists_of_numbers_are_arrays_and_lists_of_arrays_are_inputs():
    assert as_arrays([[1, 2], [3, 4]]).shape == (2, 2)
    assert len(as_arrays([X, X])) == 2
    assert len(as_arrays(([1, 2], [3, 4]))) == 2
    assert as_arrays(("a", "b")).shape == (2,)


def test_rows_are_drawn_by_the_seed_each_once_in_order_of_all_parts():
    x = {"a": np.arange(12), "b": np.arange(24).reshape(12, 2)}
    seen = set()
    for seed in range(20):
        drawn, y, weight = draw_rows((x, -np.arange(12), None), 7, seed)
        rows = drawn["a"].tolist()
        assert len(rows) == len(set(rows)) == 7
        assert rows == sorted(rows)
        assert (-y).tolist() == rows
        assert drawn["b"].tolist() == [[2 * row, 2 * row + 1] for row in rows]
        assert weight is None
        assert draw_rows((x, None, None), 7, seed)[0]["a"].tolist() == rows
        seen |= set(rows)
    assert seen == set(range(12))


def test_as_few_rows_as_wanted_are_all_taken():
    for rows in (10, 11):
        x, y, _ = draw_rows((X, Y, None), rows, 0)
        np.testing.assert_array_equal(x, X)
        np.testing.assert_array_equal(y, Y)
    assert len(draw_rows((X, Y, None), 9, 0)[1]) == 9


class Holder:
    """Something of no known type that holds rows, and can be read as well."""

    def __iter__(self):
        return iter(X)

    def __array__(self, dtype=None, copy=None):
        return X


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (tf.data.Dataset.from_tensors(X), True),
        ((row for row in X), True),
        (iter([X]), True),
        (map(abs, [X]), True),
        (Holder(), False),
        (X, False),
        (tf.constant(X), False),
        (pd.DataFrame(X), False),
        (scipy.sparse.csr_matrix(X), False),
        ({"a": X}, False),
        ([X], False),
        ((X,), False),
        ("text", False),
        ({1}, False),
        (None, False),
        (3.0, False),
    ],
    ids=lambda part: type(part).__name__,
)
def test_what_yields_batches_is_told_from_what_holds_rows(x, expected):
    assert is_stream(x) is expected


def test_a_model_without_declared_inputs_has_no_symbols():
    assert input_symbols(keras.Sequential([keras.layers.Dense(1)])) == []
    assert input_symbols(keras.layers.Dense(1)) == []
    assert input_symbols(None) == []
    inputs = [keras.Input((2,)), keras.Input((3,))]
    model = keras.Model(inputs, keras.layers.Concatenate()(inputs))
    assert [one.shape for one in input_symbols(model)] == [(None, 2), (None, 3)]
