"""The chief of a search over several processes: it keeps the oracle and answers."""

import hmac
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc

from keras_trainkit.arguments import received
from keras_trainkit.search.distribute.messages import (
    QUESTION,
    SERVICE,
    UNLIMITED,
    Place,
    pack,
    unpack,
)
from keras_trainkit.search.distribute.questions import read_question
from keras_trainkit.search.engine.keras_tuner import (
    HyperParameters,
    Trial,
    TrialStatus,
)


class Chief:
    """Answers workers, and knows which of them are alive.

    Args:
        oracle: The `DependableOracle` of the search.
        silence: Seconds without a word after which a worker counts as lost, > 0.
        token: The secret that every question must bring.
        clock: Gives the time in seconds.
    """

    def __init__(
        self,
        oracle: Any,
        silence: float,
        token: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.oracle = oracle
        self.lost: dict[str, str] = {}
        self._silence = silence
        self._token = token
        self._joined: set[str] = set()
        self._clock = clock
        self._heard: dict[str, float] = {}  # the workers at work
        self._last_change = clock()
        self._any_joined = False
        self._stopped = False
        self._lock = threading.RLock()
        # Nothing else can be reached from another process.
        self._answers: dict[str, Callable[..., dict[str, Any]]] = {
            "join": self._join,
            "beat": self._beat,
            "lost": self._lost,
            "create_trial": self._create_trial,
            "update_trial": self._update_trial,
            "end_trial": self._end_trial,
            "get_trial": self._get_trial,
            "get_space": self._get_space,
            "update_space": self._update_space,
            "get_best_trials": self._get_best_trials,
        }

    def respond(self, data: bytes) -> bytes:
        """Answers a question as it travels."""
        try:
            question = unpack(data)
        except ValueError as error:
            return pack({"error": f"The question must be one: {error}."})
        return pack(self.answer(question))

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Answers a question; what goes wrong is part of the answer.

        Args:
            question: `token` and what `read_question` tells of.
        """
        token = question.get("token")
        if not isinstance(token, str) or not _equal(token, self._token):
            return {"error": "The token is not the one of this search."}
        with self._lock:
            try:
                worker, ask, words = read_question(question)
                self._hear(worker, ask)
                return self._answers[ask](worker, **words)
            except Exception as error:  # it is the worker's; the chief goes on
                return {"error": f"{type(error).__name__}: {error}"}

    def done(self) -> bool:
        """Whether the search is over, done or not; takes back trials of the lost."""
        with self._lock:
            now = self._clock()
            for worker, heard in list(self._heard.items()):
                if now - heard > self._silence:
                    self._lost(worker, f"silent for {now - heard:.0f} s")
            if self._heard:
                return False
            return self._stopped or (
                # A machine that comes back may still take over.
                self._any_joined and now - self._last_change > self._silence
            )

    @property
    def failure(self) -> str | None:
        """Why the search ended without being done, `None` if it is done."""
        if self.oracle.stopped_because is not None:
            return self.oracle.stopped_because
        if self._stopped:
            return None
        told = "; ".join(f"{worker}: {why}" for worker, why in self.lost.items())
        return (
            f"All workers are gone ({told}). The trials so far are kept; the same "
            "command goes on from there."
        )

    def _hear(self, worker: str, ask: str) -> None:
        if ask == "join":
            self._any_joined = True
            self._joined.add(worker)
        elif worker not in self._joined:
            raise ValueError(f"A worker must join first. {received('worker', worker)}")
        if ask != "lost":
            self.lost.pop(worker, None)
            self._heard[worker] = self._clock()

    # The answers.

    def _join(self, worker: str, space: Any, course: dict[str, Any]) -> dict[str, Any]:
        now = unpack(pack(self.oracle.identity()))
        if now != {"space": space, "course": course}:
            del self._heard[worker]
            self._joined.discard(worker)
            raise ValueError(
                "A worker must run the program of its chief; this one declares "
                "another space or another search."
            )
        return {"seed": self.oracle.seed}

    def _beat(self, worker: str) -> dict[str, Any]:
        return {}

    def _lost(self, worker: str, why: str) -> dict[str, Any]:
        if self._heard.pop(worker, None) is not None:
            self.lost[worker] = why
            self._last_change = self._clock()
            self.oracle.give_up(worker)
        return {}

    def _create_trial(self, worker: str) -> dict[str, Any]:
        trial = self.oracle.create_trial(worker)
        if trial.status == TrialStatus.STOPPED:
            self._stopped = True
            del self._heard[worker]
        return {
            "trial": trial.get_state(),
            "stopped_because": self.oracle.stopped_because,
        }

    def _update_trial(
        self, worker: str, trial_id: str, metrics: dict[str, float], step: int
    ) -> dict[str, Any]:
        if self._owns(worker, trial_id):
            self.oracle.update_trial(trial_id, metrics, step)
        return {}

    def _end_trial(self, worker: str, trial: Trial) -> dict[str, Any]:
        if self._owns(worker, trial.trial_id):
            self.oracle.end_trial(trial)
        return {}

    def _get_trial(self, worker: str, trial_id: str) -> dict[str, Any]:
        if trial_id not in self.oracle.trials:
            raise ValueError(
                f"`trial_id` must be a trial's. {received('trial_id', trial_id)}"
            )
        return {"trial": self.oracle.get_trial(trial_id).get_state()}

    def _get_space(self, worker: str) -> dict[str, Any]:
        return {"space": self.oracle.get_space().get_config()}

    def _update_space(self, worker: str, space: HyperParameters) -> dict[str, Any]:
        self.oracle.update_space(space)
        return {}

    def _get_best_trials(self, worker: str, num_trials: int) -> dict[str, Any]:
        trials = self.oracle.get_best_trials(num_trials)
        return {"trials": [trial.get_state() for trial in trials]}

    def _owns(self, worker: str, trial_id: str) -> bool:
        """Whether the trial is still the worker's, not given to another since."""
        ongoing = self.oracle.ongoing_trials.get(worker)
        return ongoing is not None and ongoing.trial_id == trial_id


def _equal(one: str, other: str) -> bool:
    """Compares secrets in a time that tells nothing of them."""
    first, second = (each.encode(errors="surrogatepass") for each in (one, other))
    return hmac.compare_digest(first, second)


def serve(oracle: Any, place: Place, on_change: Callable[[], None]) -> str | None:
    """Answers workers until the search is over.

    Args:
        oracle: The `DependableOracle` of the search.
        place: Where to listen.
        on_change: Called a few times a second.

    Returns:
        Why the search ended without being done, `None` if it is done.

    Raises:
        OSError: If the address cannot be listened on.
    """
    chief = Chief(oracle, place.silence, place.token)
    method = grpc.unary_unary_rpc_method_handler(lambda data, _: chief.respond(data))
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=16),
        options=[("grpc.so_reuseport", 0), *UNLIMITED],
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {QUESTION: method}),)
    )
    try:
        server.add_insecure_port(place.address)
    except RuntimeError as error:
        raise OSError(f"The chief cannot listen on {place.address}: {error}") from error
    server.start()
    try:
        while not chief.done():
            on_change()
            time.sleep(0.1)
        on_change()
    finally:
        server.stop(grace=1.0).wait()
    return chief.failure
