"""Whatever is passed, an error names the argument, the rule and the value."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_trainkit.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    received,
)


class Silent:
    def __repr__(self):
        raise RuntimeError("no words")

    def __eq__(self, other):
        raise RuntimeError("not to be compared")


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.just(-(10**5000)),
    st.floats(allow_nan=True),
    st.complex_numbers(),
    st.text(),
    st.binary(),
    st.fractions(),
    st.decimals(),
    st.lists(st.integers()),
    st.dictionaries(st.text(), st.integers()),
    st.sampled_from(
        [
            np.arange(3),
            np.zeros(()),
            np.float32(0.5),
            np.int64(3),
            np.bool_(True),
            np.ones(1),
            Silent(),
            object,
            len,
        ]
    ),
)
CHECKS = {
    "integer": lambda value: check_integer("it", value, minimum=0),
    "number": lambda value: check_number("it", value, 0, 1, open_minimum=True),
    "any number": lambda value: check_number("it", value),
    "choice": lambda value: check_choice("it", value, ("a", 3, None)),
    "flag": lambda value: check_flag("it", value),
}


@pytest.mark.parametrize("name", CHECKS)
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(value=ANYTHING)
def test_a_check_returns_what_keeps_its_rule_or_one_sentence(name, value):
    try:
        found = CHECKS[name](value)
    except ValueError as error:
        words = str(error)
        assert words.startswith("`it` must be ")
        assert ". Received: it=" in words
        assert len(words) < 700
        return
    if name == "integer":
        assert type(found) is int
        assert found >= 0
    elif name == "number":
        assert 0 < found <= 1
    elif name == "any number":
        assert np.isfinite(found)
    elif name == "choice":
        assert found in ("a", 3, None)
    else:
        assert isinstance(found, bool)


def test_received_is_short():
    assert received("x", 3) == "Received: x=3"
    assert received("x", np.ones((400, 2))) == "Received: x=ndarray of shape (400, 2)"
    assert len(received("x", list(range(10**4)))) < 600
    assert received("x", Silent()) == "Received: x=a Silent"


@pytest.mark.parametrize("value", [2**63, -(2**63), 10**400])
def test_an_integer_that_no_tensor_holds_is_refused(value):
    with pytest.raises(ValueError, match="`it` must be an integer of 64 bits"):
        check_integer("it", value)
    assert check_integer("it", 2**63 - 1) == 2**63 - 1
