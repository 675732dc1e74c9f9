"""The train function that Keras calls while callbacks take part in its steps."""

import weakref
from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.train_step.twin import Bare, Twin

Step = Callable[[Any], Any]


class Make(Protocol):
    """Makes a train function around a step."""

    def __call__(self, step: Step, *, light: bool = False) -> Any:
        """Returns a function that trains as Keras' own does, to the last bit.

        Args:
            step: A step that does more than the model's own.
            light: Whether it reads no more than the loss.
        """


class Tenant(Protocol):
    """Who takes part in the steps of a run."""

    def stop(self, status: str) -> None:
        """Is told that the run has ended otherwise than by `leave`."""


class Builder(Tenant, Protocol):
    """Who decides which functions are made."""

    def note_trace(self, seconds: float, watched: bool) -> None:
        """Is told how long it took to trace a step.

        Args:
            seconds: The time.
            watched: Whether it was a watched step; before it comes Keras' own.
        """


class SharedFunction:
    """Takes the place of `model.train_function`; is made when it is first called.

    By then all callbacks have joined, so that the step is traced once for all. The
    last tenant to leave puts Keras' own function back. A run that fails in a step
    ends it at once; one that fails elsewhere is cleared away when Keras next asks
    the model for its train function.

    Args:
        model: The model that is about to be trained.

    Raises:
        ValueError: If the model's distribution strategy is not supported.
    """

    def __init__(self, model: Any) -> None:
        check_strategy(model)
        # Weak, for the model holds this function.
        self._model: Callable[[], Any] = weakref.ref(model)
        self._previous = model.train_function
        self._wraps: list[tuple[Tenant, Callable[[Step], Step]]] = []
        self._builds: list[tuple[Builder, Callable[[Make], Any]]] = []
        self._function: Any = None
        self._bare: Bare | None = None
        self._twins: list[Twin] = []
        model.train_function = self
        # Around Keras' attribute tracking, which would take it for state.
        model.__dict__["make_train_function"] = self._clear_away

    @classmethod
    def of(cls, model: Any) -> "SharedFunction":
        """Returns the shared function of a model, put in place if there is none."""
        current = model.train_function
        return current if isinstance(current, cls) else cls(model)

    @property
    def original(self) -> Any:
        """Keras' own train function, in whose place this one is."""
        return self._previous if self._bare is None else self._bare.function

    @property
    def is_wrapped(self) -> bool:
        """Whether a tenant does more in each step."""
        return bool(self._wraps)

    def wrap(self, tenant: Tenant, wrapper: Callable[[Step], Step]) -> None:
        """Takes part by doing more in each step, around whatever it does.

        Args:
            tenant: Who joins.
            wrapper: Returns the step that takes the place of the one it is given.
        """
        self._wraps.append((tenant, wrapper))
        self._function = None

    def build(self, tenant: Builder, builder: Callable[[Make], Any]) -> None:
        """Takes part by deciding which functions are made; one tenant at most.

        Args:
            tenant: Who joins.
            builder: Is given a function that makes Keras' train function around a
                step, and returns what is called in the place of it.
        """
        self._builds.append((tenant, builder))
        self._function = None

    def leave(self, tenant: Tenant) -> None:
        """Takes no longer part."""
        self._wraps = [entry for entry in self._wraps if entry[0] is not tenant]
        self._builds = [entry for entry in self._builds if entry[0] is not tenant]
        self._function = None
        if not self._wraps and not self._builds:
            self._restore()

    def stop(self, status: str) -> None:
        """Sends all tenants away."""
        try:
            for tenant, _ in [*self._builds, *self._wraps]:
                tenant.stop(status)
        finally:
            self._restore()

    def __call__(self, iterator: Any) -> Any:
        """Trains on the next batch or batches, as Keras' own function would."""
        try:
            if self._function is None:
                self._make()
            return self._function(iterator)
        except (StopIteration, tf.errors.OutOfRangeError):
            raise  # the data have ended, which is no failure
        except BaseException:
            self.stop("interrupted")
            raise

    def _make(self) -> None:
        if self._builds:
            _, builder = self._builds[0]
            self._function = builder(self._made_around)
        else:
            self._function = self._made_around(self._model().train_step, light=True)

    def _made_around(self, step: Step, *, light: bool = False) -> Any:
        model = self._model()
        if self._bare is None:
            if self._previous is None:
                self._previous = self._keras_function(model.train_step)
            self._bare = Bare(
                model,
                self._previous,
                lambda: self._keras_function(model.train_step),
                self._note_trace,
            )
        for _, wrapper in self._wraps:
            step = wrapper(step)
        twin = Twin(self._bare, self._keras_function(step), light)
        self._twins.append(twin)
        return twin

    def _note_trace(self, seconds: float, watched: bool) -> None:
        for tenant, _ in self._builds:
            tenant.note_trace(seconds, watched)

    def _keras_function(self, step: Step) -> Any:
        # Keras makes its function around whatever `train_step` is at that moment.
        model = self._model()
        own_step = model.__dict__.get("train_step")
        current = model.train_function
        model.__dict__["train_step"] = step
        try:
            type(model).make_train_function(model, force=True)
            return model.train_function
        finally:
            del model.__dict__["train_step"]
            if own_step is not None:
                model.__dict__["train_step"] = own_step
            model.train_function = current

    def _clear_away(self, force: bool = False) -> Any:
        # Stands in for `model.make_train_function`, which Keras calls at the start
        # of `fit`: here a failed run goes before anything else happens.
        self.stop("interrupted")
        return self._model().make_train_function(force)

    def _restore(self) -> None:
        model = self._model()
        self._wraps, self._builds, self._function = [], [], None
        for twin in self._twins:
            twin.close()
        self._twins, self._bare = [], None
        if model is None:
            return
        # A later shared function may be in place already.
        if model.__dict__.get("make_train_function") == self._clear_away:
            del model.__dict__["make_train_function"]
        if model.train_function is self:
            model.train_function = self.original


def check_strategy(model: Any) -> None:
    """Refuses a model that is trained neither on one device nor mirrored."""
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync > 1 and not isinstance(
        strategy, tf.distribute.MirroredStrategy
    ):
        raise ValueError(
            "The model must be trained on one device or under a `MirroredStrategy`. "
            + received("strategy", type(strategy).__name__)
        )
