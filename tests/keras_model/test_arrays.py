"""Rows of nested arrays: how many each part has, and some of them."""

import collections

import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

from keras_trainkit.keras_model.arrays import (
    as_arrays,
    has_rows,
    is_sparse,
    keep_rows,
    row_count,
    row_counts,
)

Pair = collections.namedtuple("Pair", "first second")


@pytest.mark.parametrize(
    ("leaf", "expected"),
    [
        (np.zeros((0, 2)), True),
        (np.zeros(3), True),
        (scipy.sparse.csr_matrix((2, 2)), True),
        (np.float64(1.0), False),
        (np.array(1.0), False),
        (None, False),
        (1.5, False),
        ("text", False),
    ],
    ids=str,
)
def test_what_has_an_axis_has_rows(leaf, expected):
    assert has_rows(leaf) is expected


def test_row_counts_name_the_place_of_each_array():
    structure = {
        "image": np.zeros((4, 2)),
        "more": [np.zeros(3), (np.zeros((5, 1, 1)), None, 2.0)],
    }
    assert row_counts(structure, "x") == {
        "x/image": 4,
        "x/more/0": 3,
        "x/more/1/0": 5,
    }
    assert row_counts(np.zeros((7, 2)), "y") == {"y": 7}
    assert row_counts(None, "sample_weight") == {}


def test_arrays_of_no_rows_are_refused_like_those_of_several_numbers_of_them():
    assert row_count({"a": np.zeros((3, 2))}, np.zeros(3), None) == 3
    with pytest.raises(ValueError, match="'x': 3, 'sample_weight': 2"):
        row_count(np.zeros(3), None, np.zeros(2))
    with pytest.raises(ValueError, match="at least one"):
        row_count(np.zeros((0, 2)))
    with pytest.raises(ValueError, match="at least one"):
        row_count(None)


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([3, 0])], ids=["cut", "chosen"])
def test_the_same_rows_are_kept_of_every_array_and_none_is_sparse(rows):
    dense = np.arange(8.0).reshape(4, 2)
    sparse = scipy.sparse.csr_matrix(dense * (dense > 2))
    labels = np.array(["a", "b", "c", "d"])
    kept = keep_rows({"x": [dense, sparse], "y": (labels, None, 3.0)}, rows)
    numbers = np.arange(4)[rows].tolist()
    np.testing.assert_array_equal(kept["x"][0], [dense[one] for one in numbers])
    assert isinstance(kept["x"][1], np.ndarray)
    np.testing.assert_array_equal(
        kept["x"][1], [dense[one] * (dense[one] > 2) for one in numbers]
    )
    assert kept["y"][0].tolist() == ["abcd"[one] for one in numbers]
    assert kept["y"][1:] == (None, 3.0)


def test_only_matrices_that_leave_out_zeros_are_sparse():
    assert is_sparse(scipy.sparse.coo_matrix((1, 1)))
    assert is_sparse(scipy.sparse.csr_array((1, 1)))
    assert not is_sparse(np.zeros((1, 1)))
    assert not is_sparse(None)


def test_named_tuples_stay_what_they_are():
    found = as_arrays(Pair([1, 2], {"a": [3.0]}))
    assert isinstance(found, Pair)
    assert found.first.tolist() == [1, 2]
    assert found.second["a"].tolist() == [3.0]


@pytest.mark.parametrize(
    ("leaf", "words"),
    [
        (tf.ragged.constant([[1], [2, 3]]), r"pad them.*x/a=.*RaggedTensor"),
        ([object()], r"arrays of numbers or strings.*x/a/0='object'"),
        (np.array(["2020-01-01"], "M8[D]"), r"arrays of numbers or strings"),
        (2.0, r"x/a=2\.0"),
    ],
    ids=["ragged", "objects", "dates", "scalar"],
)
def test_a_part_without_rows_of_numbers_is_named(leaf, words):
    with pytest.raises(ValueError, match=words):
        as_arrays({"a": leaf})


def test_objects_become_numbers_of_the_same_shape():
    found = as_arrays(np.array([[1, 2.5], [True, None]], object)[:, :1])
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [[1.0], [1.0]])
    words = np.array(["a", b"b"], object)
    assert as_arrays(words) is words
