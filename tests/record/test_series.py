"""Bins are found again by their names, tensors are named for a reader."""

import itertools
import math

import pytest

from keras_trainkit.measures import HISTOGRAM_EDGES
from keras_trainkit.record.series import Series, bin_name


@pytest.mark.parametrize(
    ("edges", "name"),
    [
        ((0.01, 0.1), "0.01:0.1"),
        ((-math.inf, -1e4), "-inf:-10000"),
        ((1e-8, 10**-7.5), "1e-08:3.16228e-08"),
        ((1.0, math.inf), "1:inf"),
    ],
)
def test_a_bin_is_named_by_its_edges(edges, name):
    assert bin_name(*edges) == name


def test_every_bin_is_found_again_by_its_name():
    edges = [-math.inf, *HISTOGRAM_EDGES, math.inf]
    bins = list(itertools.pairwise(edges))
    names = [bin_name(*one) for one in bins]
    assert len(set(names)) == len(names)
    for one, name in zip(bins, names, strict=True):
        # Names bear six digits.
        assert Series("histogram", bin=name).edges == pytest.approx(one, rel=1e-5)


@pytest.mark.parametrize(
    ("series", "name"),
    [
        (Series("m", "dense", "kernel", "gradient"), "dense/kernel gradient"),
        (Series("m", "dense", "kernel", "weight"), "dense/kernel"),
        (Series("m", "dense", "kernel"), "dense/kernel"),
        (
            Series("m", "dense", tensor="activation_gradient"),
            "dense/activation gradient",
        ),
        (Series("m", metric="loss"), "loss"),
        (Series("m"), ""),
    ],
    ids=lambda part: part if isinstance(part, str) else None,
)
def test_a_tensor_is_named_by_all_that_applies(series, name):
    assert series.tensor_name == name
