import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from keras_trainkit.report.drawing.specification import (
    decode,
    encode,
    number,
    plain,
    short,
)

SETTINGS = settings(deadline=None, derandomize=True)
SHAPES = arrays.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=9)


@SETTINGS
@given(
    st.one_of(
        arrays.arrays(np.float64, SHAPES, elements=st.floats()),
        arrays.arrays(np.float32, SHAPES, elements=st.floats(width=32)),
        arrays.arrays(np.int64, SHAPES, elements=st.integers(-(2**40), 2**40)),
    )
)
def test_encoding_loses_nothing(values):
    np.testing.assert_array_equal(decode(encode(values)), values)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([1, 2**31 - 1]), "i4"),
        (np.array([2**31]), "f8"),
        (np.array([0.5, np.nan, -np.inf]), "f4"),
        (np.array([0.1]), "f8"),
        (np.array([1e300]), "f8"),
        (np.array([], int), "i4"),
    ],
)
def test_encoding_takes_four_bytes_where_these_do(values, kind):
    assert encode(values)["dtype"] == kind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("short", "short"),
        ("a" * 26, "a" * 26),
        ("a" * 20 + "b" * 20, "a" * 12 + "…" + "b" * 13),
    ],
)
def test_long_names_keep_both_ends(text, expected):
    assert short(text) == expected
    assert len(short(text)) <= 26


def test_plain_text_asks_plotly_for_no_markup():
    assert plain("<b>&$x$") == "&lt;b&gt;&amp;&#36;x&#36;"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00123456, "0.00123"),
        (float("nan"), "NaN"),
        (float("inf"), "infinity"),
        (float("-inf"), "-infinity"),
    ],
)
def test_numbers_are_written_for_readers(value, text):
    assert number(value) == text
