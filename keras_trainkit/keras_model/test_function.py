"""Evaluations beside those that Keras makes, which change none of the latter."""

import contextlib
from collections.abc import Iterator
from typing import Any

from keras_trainkit.keras_model.generators import generators_restored
from keras_trainkit.keras_model.state import kept, read, write
from keras_trainkit.keras_model.train_function import draws, traced, written_by

# Attribute of a test function, which lives as long as it does.
_OTHER = "_other_of_keras_trainkit"


def unshared(model: Any, function: Any, data: Any) -> Any:
    """Returns a test function that can be called beside another one.

    Operations such as `tf.random.normal` keep a generator of their own in each traced
    function, which every call moves on. Where there are such, the function returned
    is another one, made and kept for this.

    Args:
        model: The model.
        function: Its test function, as `make_test_function` makes it.
        data: What it is called with next, an iterator or a list of batches.
    """
    if model.run_eagerly:
        return function
    trace = traced(function, data)
    if trace is None or not draws(trace):
        return function
    if _OTHER not in vars(function):
        current = model.test_function
        try:
            model.make_test_function(force=True)
            vars(function)[_OTHER] = model.test_function
        finally:
            model.test_function = current
    return vars(function)[_OTHER]


@contextlib.contextmanager
def evaluated_unnoticed(model: Any) -> Iterator[None]:
    """Lets `model.evaluate` be called such that nothing shows it afterwards.

    Everything that the evaluation writes is put back, the generators of the process
    and those inside of traced functions included.

    Args:
        model: A compiled model.

    Yields:
        Nothing.
    """
    model.make_test_function()
    function = model.test_function
    stand_in = _Unnoticed(model, function)
    with generators_restored(), kept(model):
        model.test_function = stand_in
        try:
            yield
        finally:
            if model.test_function is stand_in:
                model.test_function = function
            stand_in.put_back()


class _Unnoticed:
    """Stands in for `model.test_function`."""

    def __init__(self, model: Any, function: Any) -> None:
        self._model = model
        self._function = function
        self._before: tuple[list[Any], list[Any]] = [], []

    def __call__(self, iterator: Any) -> Any:
        if self._model.run_eagerly:
            return self._function(iterator)
        function = unshared(self._model, self._function, iterator)
        trace = traced(function, iterator)
        if trace is not None and not self._before[0]:
            parts = written_by(trace)
            self._before = parts, read(parts)
        return function(iterator)

    def put_back(self) -> None:
        """Undoes what was written, as far as it shows in what was traced."""
        write(*self._before)
