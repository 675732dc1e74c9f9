"""Watches the steps of a run such that nothing about the training changes."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_trainkit.keras_model.generators import generators_restored
from keras_trainkit.keras_model.state import parts_of, read, same_bits, write
from keras_trainkit.keras_model.train_function import draws, traced, written_by
from keras_trainkit.train_step.kernels import Kernels, graphs_of, with_graphs
from keras_trainkit.train_step.replay import Replay, is_of_tensorflow, take

# Calls after which a function that XLA compiled, and that reads no more than the
# loss, is taken to be the same if it was so far.
_TRIALS = 2


class Bare:
    """Keras' own train function of a model, and what it was traced to.

    Args:
        model: The model.
        function: Its train function.
        make: Makes another one like it.
    """

    def __init__(
        self, model: Any, function: Any, make: Callable[[], Any] | None = None
    ) -> None:
        self.model = model
        self.function = function
        self._make = make
        self._traced: dict[str, Any] = {}
        self._parts: dict[str, list[Any]] = {}
        self._draws: dict[str, bool] = {}
        self.kernels: dict[str, Kernels | None] = {}

    def trace(self, kind: str, data: Any) -> None:
        """Traces the function for one kind of data, as its first call would.

        Args:
            kind: What tells the data from other data.
            data: An iterator or a list of batches.
        """
        if kind in self._traced:
            return
        function = None if self.model.run_eagerly else traced(self.function, data)
        self._traced[kind] = function
        if function is None:
            self._parts[kind] = parts_of(self.model)
            self._draws[kind] = True
        else:
            self._parts[kind] = written_by(function)
            self._draws[kind] = draws(function)

    def parts(self, kind: str) -> list[Any]:
        """All variables that it may write, whatever they belong to."""
        return self._parts[kind]

    def draws(self, kind: str) -> bool:
        """Whether it draws from generators that no other function can share."""
        return self._draws[kind]

    def run(self, kind: str, data: Callable[[], Any]) -> Any:
        """Runs it, and looks up its kernels when that is its first time."""
        function = self._traced[kind]
        if function is None or kind in self.kernels or self.model.jit_compile:
            return self.function(data())
        result, collected = with_graphs(lambda: self.function(data()))
        graphs = graphs_of(function, collected)
        if graphs is not None:
            self.kernels[kind] = Kernels(function, graphs)
        return result

    def find_kernels(self, kind: str, data: Callable[[], Any]) -> Kernels | None:
        """Returns its kernels, of one like it if it had run before it was looked at.

        The caller puts back what this writes.
        """
        if kind not in self.kernels and self._make is not None:
            another = self._make()
            batches = data()
            function = traced(another, batches)
            if function is not None:
                _, collected = with_graphs(lambda: another(batches))
                graphs = graphs_of(function, collected)
                if graphs is not None:
                    self.kernels[kind] = Kernels(function, graphs)
        return self.kernels.setdefault(kind, None)


class Twin:
    """A train function that is watched, beside the one that trains.

    Where it is shown to run every kernel of Keras' own function on the same values,
    it takes its place. Where it is not, both run on the same batches: first the
    watched one, of which all is undone that Keras' function may write, and then
    Keras' own.

    Args:
        bare: Keras' own function.
        watched: A function made around a step that does more.
        light: Whether it reads so little that XLA may be trusted with it once it
            has done the same for some steps.
    """

    def __init__(self, bare: Bare, watched: Any, light: bool = False) -> None:
        self._bare = bare
        self._watched = watched
        self._light = light
        self._replaces: dict[str, bool] = {}
        self._trials: dict[str, int] = {}
        self._kind = ""
        self._iterator: Any = None
        self._replay: Replay | None = None
        # Why the steps are done twice: what would be computed otherwise, by name.
        self.reasons: list[str] = []

    @property
    def runs_twice(self) -> bool:
        """Whether the steps were done twice, the last time that was decided."""
        return self._replaces.get(self._kind) is False

    def __call__(self, iterator: Any) -> Any:
        """Trains on the next batch or batches, as Keras' own function would."""
        if self._bare.model.run_eagerly:
            # Operation by operation: what is read changes nothing.
            return self._watched(iterator)
        self._look_at(iterator)
        replaces = self._replaces.get(self._kind)
        if replaces and is_of_tensorflow(iterator):
            return self._watched(iterator)
        batches = take(iterator, self._bare.model.steps_per_execution)
        if not batches:
            return self._bare.function(iterator)  # which says that there are no more
        if replaces:
            return self._watched(batches)
        if replaces is None:
            return self._checked(iterator, batches)
        before = read(self._bare.parts(self._kind))
        try:
            self._watched(self._again(iterator, batches))
        finally:
            write(self._bare.parts(self._kind), before)
        return self._bare.function(self._again(iterator, batches))

    def close(self) -> None:
        """Ends what waits for batches."""
        if self._replay is not None:
            self._replay.close()
        self._replay = self._iterator = None

    def _look_at(self, iterator: Any) -> None:
        if iterator is self._iterator:
            return
        of_tensorflow = is_of_tensorflow(iterator)
        kind = str(iterator.element_spec) if of_tensorflow else "batches"
        if kind != self._kind or (of_tensorflow and self._replay is None):
            self.close()
            self._kind = kind
            if of_tensorflow:
                model = self._bare.model
                self._replay = Replay(
                    iterator, model.distribute_strategy, model.steps_per_execution
                )
        self._iterator = iterator

    def _again(self, iterator: Any, batches: list[Any]) -> Any:
        if self._replay is None or not is_of_tensorflow(iterator):
            return batches
        return self._replay.iterator_over(batches)

    def _checked(self, iterator: Any, batches: list[Any]) -> Any:
        """Runs both and compares them."""
        bare, kind = self._bare, self._kind

        def data() -> Any:
            return self._again(iterator, batches)

        # Keras' own is traced first: what a trace makes or draws is made as ever.
        bare.trace(kind, iterator if is_of_tensorflow(iterator) else batches)
        parts = bare.parts(kind)
        before = read(parts)
        try:
            with generators_restored():
                kernels = self._kernels_of_watched(data)
                after = read(parts)
        finally:
            write(parts, before)
        logs = bare.run(kind, data)
        trained = read(parts)
        same = all(map(_same, trained, after))
        self._trials[kind] = self._trials.get(kind, 0) + 1
        self.reasons = []
        if bare.draws(kind):
            self._refuse("it draws from generators that no other function can share")
        elif not same:
            self._refuse("it rounds differently")
        elif bare.model.jit_compile:
            if not self._light:
                self._refuse("XLA compiles it")
            elif self._trials[kind] >= _TRIALS:
                self._replaces[kind] = True
        else:
            try:
                with generators_restored():
                    own = bare.find_kernels(kind, data)
            finally:
                write(parts, trained)
            if own is None or kernels is None:
                self._refuse("its graphs are not known")
            else:
                self.reasons = own.lacking(kernels)
                self._replaces[kind] = not self.reasons
        return logs

    def _refuse(self, reason: str) -> None:
        self._replaces[self._kind] = False
        self.reasons = [reason]

    def _kernels_of_watched(self, data: Callable[[], Any]) -> Kernels | None:
        """Runs it, and looks up its kernels."""
        batches = data()
        function = None
        if not self._bare.model.jit_compile:
            function = traced(self._watched, batches)
        if function is None:
            self._watched(batches)
            return None
        _, collected = with_graphs(lambda: self._watched(batches))
        graphs = graphs_of(function, collected)
        return None if graphs is None else Kernels(function, graphs)


def _same(one: Any, other: Any) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of TensorFlow's tensors
        return same_bits(np.asarray(one.numpy()), np.asarray(other.numpy()))
