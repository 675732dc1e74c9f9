"""Where `fit` validates, validates the average as well."""

from collections.abc import Callable
from typing import Any

from keras_trainkit.averaging.both import BothEvaluated


class Evaluation:
    """Stands in for `model.evaluate` while a run lasts.

    The average is validated here, and not when the epoch ends, so that all callbacks
    find the result in their logs; on the same batches, so that the data are read
    once.

    Args:
        callback: Whose run it is; other evaluations go through as they are.
        evaluate: What is stood in for.
        prepare: Called before a validation; returns what gives the model the average,
            or `None` if there is none yet.
        note: Is given the logs of the validation and those of the average.
        name: What the logs of the average are called.
    """

    def __init__(
        self,
        callback: Any,
        evaluate: Callable[..., Any],
        prepare: Callable[[], Callable[[], None] | None],
        note: Callable[[dict[str, Any], dict[str, Any]], None],
        name: str,
    ) -> None:
        self._callback = callback
        self._evaluate = evaluate
        self._prepare = prepare
        self._note = note
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluates as `model.evaluate` does."""
        watchers = getattr(kwargs.get("callbacks"), "callbacks", ())
        if not any(watcher is self._callback for watcher in watchers):
            return self._evaluate(*args, **kwargs)
        assign = self._prepare()
        model = self._callback.model
        if assign is None:
            logs = self._evaluate(*args, **kwargs)
            return logs | self._named(logs) if isinstance(logs, dict) else logs
        model.make_test_function()
        function = model.test_function
        both = BothEvaluated(model, function, assign)
        model.test_function = both
        try:
            logs = self._evaluate(*args, **kwargs)
        finally:
            both.close()
            if model.test_function is both:
                model.test_function = function
        if not isinstance(logs, dict):
            return logs
        averaged = both.results()
        self._note(logs, averaged)
        return logs | self._named(averaged)

    def _named(self, logs: dict[str, Any]) -> dict[str, Any]:
        return {f"{self._name}_{key}": value for key, value in logs.items()}
