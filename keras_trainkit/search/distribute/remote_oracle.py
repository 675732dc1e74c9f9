"""The oracle as a worker sees it: every call is a question to the chief."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import grpc

from keras_trainkit.search.distribute.messages import (
    QUESTION,
    SERVICE,
    UNLIMITED,
    Place,
    pack,
    unpack,
)
from keras_trainkit.search.engine.keras_tuner import HyperParameters, Trial

_FIRST_WAIT = 3600.0  # a cluster may start the chief last


class RemoteOracle:
    """Asks the chief's oracle.

    Args:
        oracle: The worker's own oracle, made by the same program as the chief's.
        place: Who and where this worker is.

    Raises:
        RuntimeError: From any call, if the chief is gone or refuses.
    """

    def __init__(self, oracle: Any, place: Place) -> None:
        self.objective = oracle.objective
        self.max_trials = oracle.max_trials
        self.stopped_because: str | None = None
        self._place = place
        self._channel = grpc.insecure_channel(place.address, options=UNLIMITED)
        self._ask_chief = self._channel.unary_unary(
            f"/{SERVICE}/{QUESTION}", pack, unpack
        )
        identity = oracle.identity()
        self.seed = self._ask("join", _FIRST_WAIT, **identity)["seed"]

    def create_trial(self, tuner_id: str) -> Any:
        """See `keras_tuner.Oracle.create_trial`."""
        answer = self._ask("create_trial")
        self.stopped_because = answer["stopped_because"]
        return Trial.from_state(answer["trial"])

    def update_trial(
        self, trial_id: str, metrics: dict[str, float], step: int = 0
    ) -> None:
        """See `keras_tuner.Oracle.update_trial`."""
        numbers = {name: float(value) for name, value in metrics.items()}
        self._ask("update_trial", trial_id=trial_id, metrics=numbers, step=int(step))

    def end_trial(self, trial: Any) -> None:
        """See `keras_tuner.Oracle.end_trial`."""
        self._ask("end_trial", trial=trial.get_state())

    def get_trial(self, trial_id: str) -> Any:
        """See `keras_tuner.Oracle.get_trial`."""
        return Trial.from_state(self._ask("get_trial", trial_id=trial_id)["trial"])

    def get_space(self) -> Any:
        """See `keras_tuner.Oracle.get_space`."""
        return HyperParameters.from_config(self._ask("get_space")["space"])

    def update_space(self, hyperparameters: Any) -> None:
        """See `keras_tuner.Oracle.update_space`."""
        self._ask("update_space", space=hyperparameters.get_config())

    def get_best_trials(self, num_trials: int = 1) -> list[Any]:
        """See `keras_tuner.Oracle.get_best_trials`."""
        answer = self._ask("get_best_trials", num_trials=num_trials)
        return [Trial.from_state(state) for state in answer["trials"]]

    @contextlib.contextmanager
    def alive(self) -> Iterator[None]:
        """Tells the chief that this worker lives, until it leaves the block.

        Leaving with an error gives the worker's trial back at once.
        """
        ended = threading.Event()
        beating = threading.Thread(target=self._beat, args=(ended,), daemon=True)
        beating.start()
        try:
            yield
        except BaseException as error:
            with contextlib.suppress(RuntimeError):
                self._ask("lost", 5.0, why=f"{type(error).__name__}: {error}")
            raise
        finally:
            ended.set()
            beating.join()
            self._channel.close()

    def _beat(self, ended: threading.Event) -> None:
        pause = min(5.0, self._place.silence / 6)
        while not ended.wait(pause):
            # If the chief is gone, the next call of the worker itself says so.
            with contextlib.suppress(RuntimeError):
                self._ask("beat", pause)

    def _ask(self, ask: str, wait: float | None = None, **words: Any) -> dict[str, Any]:
        question = asked(self._place, self._place.tuner_id, ask, words)
        try:
            answer = self._ask_chief(
                question, timeout=wait or self._place.silence, wait_for_ready=True
            )
        except grpc.RpcError as error:
            raise RuntimeError(
                f"The chief at {self._place.address} does not answer; what it has "
                "stored is kept, and the same command goes on from there."
            ) from error
        if "error" in answer:
            raise RuntimeError(f"The chief refused: {answer['error']}")
        return answer


def asked(place: Place, worker: str, ask: str, words: Any) -> dict[str, Any]:
    """A question as the chief wants it."""
    return {"token": place.token, "worker": worker, "ask": ask, "with": words}


def tell_lost(place: Place, worker: str, why: str) -> None:
    """Tells a chief that the process of a worker has ended; silent if it is gone."""
    with grpc.insecure_channel(place.address) as channel:
        ask_chief = channel.unary_unary(f"/{SERVICE}/{QUESTION}", pack, unpack)
        with contextlib.suppress(grpc.RpcError):
            ask_chief(asked(place, worker, "lost", {"why": why}), timeout=5.0)
