"""Who takes part in a cluster, and where: read from `TF_CONFIG` and checked."""

import dataclasses
import json
import os
import socket
from collections.abc import Mapping
from typing import Any

from keras_trainkit.arguments import received

LOOPBACK = "127.0.0.1"
SERVER, WORKER = "ps", "worker"  # TensorFlow's words for the jobs
_KNOWN = {SERVER, WORKER, "chief", "evaluator"}


@dataclasses.dataclass(frozen=True)
class Addresses:
    """The addresses of a cluster's workers and parameter servers.

    Args:
        workers: Where each worker listens, as `"host:port"`.
        servers: Where each parameter server listens.

    Raises:
        ValueError: If there is no worker or no server, an address is not
            `"host:port"` or one occurs twice.
    """

    workers: tuple[str, ...]
    servers: tuple[str, ...]

    def __post_init__(self) -> None:
        for name, found in (("workers", self.workers), ("servers", self.servers)):
            if not found:
                raise ValueError(
                    f"`{name}` must name at least one address. {received(name, found)}"
                )
            for address in found:
                _check_address(name, address)
        everyone = [*self.workers, *self.servers]
        if len(set(everyone)) < len(everyone):
            raise ValueError(
                "An address must occur once in a cluster. "
                + received("addresses", everyone)
            )

    @classmethod
    def on_loopback(cls, workers: int, servers: int) -> "Addresses":
        """Returns addresses of this machine whose ports are free."""
        # All are held at once, so that none is given twice.
        with _Ports(workers + servers) as ports:
            found = tuple(f"{LOOPBACK}:{port}" for port in ports)
        return cls(found[:workers], found[workers:])

    def of(self, job: str) -> tuple[str, ...]:
        """The addresses of a job, "worker" or "ps"."""
        return self.workers if job == WORKER else self.servers

    def as_mapping(self) -> dict[str, list[str]]:
        """The form that TensorFlow takes and `TF_CONFIG` holds."""
        return {WORKER: list(self.workers), SERVER: list(self.servers)}


@dataclasses.dataclass(frozen=True)
class Task:
    """One process of a cluster.

    Args:
        addresses: Everyone's addresses.
        job: "worker", "ps", or what else `TF_CONFIG` calls this process.
        index: Its place among the processes of the job.
    """

    addresses: Addresses
    job: str
    index: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Task":
        """Reads the variable `TF_CONFIG`.

        Raises:
            ValueError: If it is missing or not what TensorFlow's documentation of
                parameter servers asks for; the error says what is wrong with it.
        """
        text = environment.get("TF_CONFIG")
        if not text:
            raise ValueError(
                "The environment variable TF_CONFIG must describe the cluster, e.g. "
                '{"cluster": {"worker": ["host1:2222"], "ps": ["host2:2222"]}, '
                f'"task": {{"type": "chief", "index": 0}}}}. '
                f"{received('TF_CONFIG', text)}"
            )
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"TF_CONFIG must be JSON ({error}). {received('TF_CONFIG', text)}"
            ) from error
        cluster = _mapping(content, "cluster", text)
        unknown = sorted(set(cluster) - _KNOWN)
        if unknown:
            raise ValueError(
                f"TF_CONFIG's cluster must have the jobs {sorted(_KNOWN)} only. "
                + received("jobs", sorted(cluster))
            )
        addresses = Addresses(
            *(_listed(cluster.get(job, []), job) for job in (WORKER, SERVER))
        )
        task = _mapping(content, "task", text)
        job, index = task.get("type"), task.get("index")
        if job not in _KNOWN:
            raise ValueError(
                f"TF_CONFIG's task type must be one of {sorted(_KNOWN)}. "
                + received("type", job)
            )
        count = len(addresses.of(job)) if job in (WORKER, SERVER) else 1
        if isinstance(index, bool) or not isinstance(index, int):
            raise ValueError(
                "TF_CONFIG's task index must be an integer. " + received("index", index)
            )
        if not 0 <= index < count:
            raise ValueError(
                f"TF_CONFIG's task index must be from 0 to {count - 1}, for it names "
                f"{count} of the job {job!r}. {received('index', index)}"
            )
        return cls(addresses, job, index)

    def as_text(self) -> str:
        """The value of `TF_CONFIG` that describes this task."""
        return json.dumps(
            {
                "cluster": self.addresses.as_mapping(),
                "task": {"type": self.job, "index": self.index},
            }
        )


class _Ports:
    """Free ports of this machine, held until the context is left."""

    def __init__(self, count: int) -> None:
        self._sockets = [socket.socket() for _ in range(count)]

    def __enter__(self) -> list[int]:
        for one in self._sockets:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in self._sockets]

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()


def _check_address(name: str, address: Any) -> None:
    host, colon, port = str(address).rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(
            f"`{name}` must hold addresses of the form 'host:port'. "
            + received("address", address)
        )


def _mapping(content: Any, key: str, text: str) -> dict[str, Any]:
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, dict):
        raise ValueError(
            f"TF_CONFIG must have an object {key!r}. {received('TF_CONFIG', text)}"
        )
    return found


def _listed(addresses: Any, job: str) -> tuple[str, ...]:
    if not isinstance(addresses, list):
        raise ValueError(
            f"TF_CONFIG's job {job!r} must be a list of addresses. "
            + received(job, addresses)
        )
    return tuple(addresses)
