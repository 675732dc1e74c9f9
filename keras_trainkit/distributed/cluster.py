"""Several processes as one cluster, on this machine or on many."""

import contextlib
import ctypes
import time
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import check_integer, check_number, received
from keras_trainkit.distributed.addresses import SERVER, WORKER, Addresses, Task
from keras_trainkit.distributed.local_processes import LocalProcesses
from keras_trainkit.distributed.partwise_gradient import PartwiseGradient
from keras_trainkit.distributed.patience import wait_patiently

_LOOK_EVERY = 0.02  # seconds
_ASK_EVERY = 0.5  # seconds; each question goes to a server


class Cluster:
    """Workers that compute and parameter servers that hold what is learnt.

    A context manager. `Cluster(workers=4)` starts processes on this machine when the
    context is entered and ends them when it is left, whatever happens; they end as
    well if this process is killed. `Cluster.from_environment()` takes part as the
    coordinator of processes that were started elsewhere. The engine is TensorFlow's
    `ParameterServerStrategy` with its `ClusterCoordinator`.

    Enter the context before anything else: by connecting, TensorFlow renames the
    devices of this process, and models, variables and datasets that were made before
    cannot be used any more. What is made inside outlives the cluster.

    TensorFlow's servers listen on **all** of a machine's network interfaces and have
    no authentication: whoever reaches a port may run code there. Use them in a
    private network or behind a firewall only.

    Args:
        workers: Processes that compute, int >= 1.
        servers: Processes that hold parameters, int >= 1; the parameters are shared
            out among them, variable by variable.
        patience: Seconds without any progress after which waiting ends with an
            error, > 0.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        ```python
        with tk.distributed.Cluster(workers=4) as cluster:
            downpour = tk.distributed.Downpour(build_model, dataset, cluster=cluster)
            downpour.fit(steps=1_000)
        ```
    """

    def __init__(
        self, workers: int = 2, servers: int = 1, *, patience: float = 600.0
    ) -> None:
        self.workers = check_integer("workers", workers, minimum=1)
        self.servers = check_integer("servers", servers, minimum=1)
        self.patience = check_number("patience", patience, 0.0, open_minimum=True)
        self._addresses: Addresses | None = None
        self._processes: LocalProcesses | None = None
        self._strategy: Any = None
        self._coordinator: Any = None
        self._gradient: PartwiseGradient | None = None

    @classmethod
    def from_environment(cls, *, patience: float = 600.0) -> "Cluster":
        """Returns the cluster that the variable `TF_CONFIG` describes.

        Its workers and servers run already, or will soon: start them by
        `python -m keras_trainkit worker` and `python -m keras_trainkit server`.

        Args:
            patience: As in the constructor.

        Raises:
            ValueError: If `TF_CONFIG` is wrong, or this process is to be a worker
                or a server.
        """
        task = Task.from_environment()
        if task.job in (WORKER, SERVER):
            command = "worker" if task.job == WORKER else "server"
            raise ValueError(
                "TF_CONFIG's task must be the chief in the program that trains; this "
                f"process is to be started by `python -m keras_trainkit {command}`. "
                + received("type", task.job)
            )
        addresses = task.addresses
        cluster = cls(len(addresses.workers), len(addresses.servers), patience=patience)
        cluster._addresses = addresses
        return cluster

    def __enter__(self) -> "Cluster":
        if self._strategy is not None:
            raise RuntimeError("The cluster has been entered already.")
        addresses = self._addresses
        if addresses is None:
            addresses = Addresses.on_loopback(self.workers, self.servers)
            self._processes = LocalProcesses(addresses)
        try:
            self._connect(addresses)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self._end()

    @property
    def strategy(self) -> Any:
        """TensorFlow's `ParameterServerStrategy` of the cluster."""
        return self._entered()[0]

    @property
    def coordinator(self) -> Any:
        """TensorFlow's `ClusterCoordinator`."""
        return self._entered()[1]

    def process_numbers(self) -> Mapping[str, list[int]]:
        """Process numbers by "worker" and "ps"; empty lists for other machines."""
        return {
            job: [] if self._processes is None else self._processes.pids(job)
            for job in (WORKER, SERVER)
        }

    def wait(self, progress: Callable[[], Any] | None = None) -> None:
        """Waits until all that was scheduled is done.

        Args:
            progress: Returns something that changes while work is done, so that long
                work is not taken for none.

        Raises:
            RuntimeError: If the parameters are lost, all workers are, or nothing
                moves for `patience` seconds.
            Exception: What the work itself raised.
        """
        with _lost_server_named():
            self._watch(progress)
            self.coordinator.join()

    def check(self) -> None:
        """Raises a `RuntimeError` if processes of this machine have ended."""
        if self._processes is None:
            return
        lost = self._processes.fallen(SERVER)
        if lost:
            raise RuntimeError(
                "A parameter server is lost, and with it what it held. "
                f"({'; '.join(lost)})"
            )
        lost = self._processes.fallen(WORKER)
        if len(lost) == self.workers:
            raise RuntimeError(f"All workers are lost. ({'; '.join(lost)})")

    def open(self, objective: Any) -> None:
        """Makes the workers ready to compute an objective's gradient.

        `tk.second_order.minimize(..., cluster=cluster)` calls it.

        Args:
            objective: What is to be computed.
        """
        self._gradient = PartwiseGradient(self, objective)

    def value_and_gradient(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        """Computes an objective that was opened, in parts.

        Args:
            vector: The weights, shape `(n,)`.

        Returns:
            The loss, and its gradient of shape `(n,)`.

        Raises:
            RuntimeError: If nothing was opened, or servers or workers are lost.
        """
        if self._gradient is None:
            raise RuntimeError("`open` must be given an objective first.")
        with _lost_server_named():
            return self._gradient.value_and_gradient(vector)

    def close(self) -> None:
        """Frees the objective; the processes go on until the context is left."""
        if self._gradient is not None:
            self._gradient.close()
            self._gradient = None

    def _end(self) -> None:
        self.close()
        if self._processes is None or self._processes.fallen(WORKER):
            _keep_for_ever(self._coordinator)
        self._strategy = self._coordinator = None
        if self._processes is not None:
            self._processes.end()
            self._processes = None

    def _watch(self, progress: Callable[[], Any] | None) -> None:
        coordinator = self.coordinator
        asked = time.monotonic()
        seen: tuple = ()

        def look() -> tuple | None:
            nonlocal asked, seen
            if coordinator.done():
                return None
            time.sleep(_LOOK_EVERY)
            if progress is not None and time.monotonic() - asked >= _ASK_EVERY:
                asked, seen = time.monotonic(), (progress(),)
            return seen

        wait_patiently(look, self.check, self.patience, "Nothing was done", "a step")

    def _connect(self, addresses: Addresses) -> None:
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec(addresses.as_mapping()), rpc_layer="grpc"
        )
        self._strategy = tf.distribute.ParameterServerStrategy(resolver)
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(self._strategy)

    def _entered(self) -> tuple[Any, Any]:
        if self._strategy is None:
            raise RuntimeError(
                "The cluster is not running: use it inside `with Cluster(...) as "
                "cluster:`."
            )
        return self._strategy, self._coordinator


def _keep_for_ever(thing: Any) -> None:
    # When a coordinator goes it waits for a lock, which the thread that waits for a
    # lost worker holds until that is back: for ever.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


@contextlib.contextmanager
def _lost_server_named() -> Iterator[None]:
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        raise RuntimeError(
            "A parameter server is lost, and with it what it held. "
            f"({error.message.splitlines()[0]})"
        ) from error
