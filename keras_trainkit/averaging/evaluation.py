"""Where `fit` validates, validates the average as well."""

from collections.abc import Callable
from typing import Any


class Evaluation:
    """Stands in for `model.evaluate` while a run lasts.

    The average is validated here, and not when the epoch ends, so that all callbacks
    find the result in their logs.

    Args:
        callback: Whose run it is; other evaluations go through as they are.
        evaluate: What is stood in for.
        validated: Is given the logs of the validation, a function that evaluates
            and the arguments it is to be given; returns the logs of the average.
        name: What these logs are called.
    """

    def __init__(
        self,
        callback: Any,
        evaluate: Callable[..., Any],
        validated: Callable[[dict[str, Any], Any, dict[str, Any]], dict[str, Any]],
        name: str,
    ) -> None:
        self._callback = callback
        self._evaluate = evaluate
        self._validated = validated
        self._name = name
        # Behind the stand-ins of other averages, which have their own turn.
        self.plain = getattr(evaluate, "plain", evaluate)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluates as `model.evaluate` does."""
        logs = self._evaluate(*args, **kwargs)
        watchers = getattr(kwargs.get("callbacks"), "callbacks", ())
        of_this_run = any(watcher is self._callback for watcher in watchers)
        if not of_this_run or not isinstance(logs, dict):
            return logs
        found = self._validated(logs, self.plain, kwargs)
        return logs | {f"{self._name}_{key}": value for key, value in found.items()}
