"""Runs a search script as one chief and several workers on this machine."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import IO, Any

from keras_trainkit.arguments import received
from keras_trainkit.search.distribute.messages import Place
from keras_trainkit.search.distribute.remote_oracle import tell_lost

_LOOPBACK = "127.0.0.1"
_PATIENCE = 10.0  # seconds that a process gets to end by itself


def launch(
    script: str, words: Sequence[str] = (), workers: int = 2, port: int | None = None
) -> str:
    """Runs a program as a chief and its workers until the search is over.

    The program is an ordinary search script: each process runs it whole, and finds
    out from its environment which part of the search is its own. What workers print
    comes with their name before it.

    Args:
        script: Path of the program.
        words: Its command-line arguments.
        workers: Processes that train, int >= 1. Each gets its share of the
            processor's cores, unless `TF_NUM_INTRAOP_THREADS` is set.
        port: Port of the chief on this machine, `None` for one that is free.

    Returns:
        One line on how it went.

    Raises:
        ValueError: If `script` or `workers` make no sense.
        ChildProcessError: If the search failed, with what is to be known.
    """
    if not os.path.isfile(script):
        raise ValueError(f"`script` must be a file. {received('script', script)}")
    if workers < 1:
        raise ValueError(f"`workers` must be >= 1. {received('workers', workers)}")
    token = secrets.token_urlsafe(24)  # nobody else on this machine knows it
    place = Place("launcher", f"{_LOOPBACK}:{port or _free_port()}", 1.0, token)
    command = [sys.executable, script, *words]
    chief = _Process("chief", command, place, workers)
    crew = [
        _Process(f"worker-{number}", command, place, workers)
        for number in range(workers)
    ]
    everyone = [chief, *crew]
    interrupted = False
    try:
        with _as_interrupt(signal.SIGTERM):
            _watch(chief, crew, place)
    except KeyboardInterrupt:
        interrupted = True
        for process in everyone:
            process.send(signal.SIGINT)
    finally:
        for process in everyone:
            process.end()
    if interrupted:
        raise ChildProcessError(
            "The search was interrupted. The same command goes on from what is stored."
        )
    fallen = [f"{process.name} {process.told}" for process in crew if process.status]
    told = f" ({', '.join(fallen)})" if fallen else ""
    if chief.status:
        raise ChildProcessError(
            f"The search ended early: the chief {chief.told}{told}. The same command "
            "goes on from what is stored."
        )
    return f"The search is done{told}."


@contextlib.contextmanager
def _as_interrupt(number: int) -> Iterator[None]:
    """Takes a signal for Ctrl-C, so that no process is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(number, before)


class _Process:
    """One process of the search and what it prints."""

    def __init__(
        self, name: str, command: Sequence[str], place: Place, workers: int
    ) -> None:
        self.name = name
        self.reported = False
        # A group of its own: Ctrl-C comes from us, once, and not from the terminal.
        self._process = subprocess.Popen(
            command,
            env=_environment(name, place, workers),
            stdout=None if name == "chief" else subprocess.PIPE,
            stderr=None if name == "chief" else subprocess.STDOUT,
            start_new_session=True,
        )
        if self._process.stdout is not None:
            threading.Thread(
                target=_forward, args=(name, self._process.stdout), daemon=True
            ).start()

    @property
    def status(self) -> int | None:
        """The exit status, `None` while it runs."""
        return self._process.poll()

    @property
    def told(self) -> str:
        """How it ended, in words."""
        status = self.status
        if status is None:
            return "still runs"
        if status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"ended with status {status}"

    def send(self, number: int) -> None:
        """Sends a signal if it still runs."""
        if self.status is None:
            self._process.send_signal(number)

    def end(self) -> None:
        """Waits for it to end, then asks, then forces it to."""
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                self.send(number)
            try:
                self._process.wait(_PATIENCE)
                return
            except subprocess.TimeoutExpired:
                continue


def _watch(chief: _Process, crew: Sequence[_Process], place: Place) -> None:
    """Waits for the chief to end; tells it of workers that have."""
    idle_since: float | None = None
    while chief.status is None:
        for worker in crew:
            if worker.status is not None and not worker.reported:
                worker.reported = True
                if worker.status:
                    print(f"{worker.name} {worker.told}", file=sys.stderr, flush=True)
                    tell_lost(place, worker.name, worker.told)
        if all(worker.status is not None for worker in crew):
            # Nobody is left to ask the chief for anything.
            idle_since = idle_since or time.monotonic()
            if time.monotonic() - idle_since > _PATIENCE:
                chief.send(signal.SIGINT)
                return
        time.sleep(0.1)


def _environment(name: str, place: Place, workers: int) -> dict[str, str]:
    host, port = place.address.rsplit(":", 1)
    environment: dict[str, Any] = {
        **os.environ,
        "KERASTUNER_TUNER_ID": name,
        "KERASTUNER_ORACLE_IP": host,
        "KERASTUNER_ORACLE_PORT": port,
        "KERAS_TRAINKIT_TOKEN": place.token,
        "PYTHONUNBUFFERED": "1",
    }
    share = max(1, (os.cpu_count() or 1) // workers)
    environment.setdefault("TF_NUM_INTRAOP_THREADS", str(share))
    # Several processes share a GPU: none may take all of its memory.
    environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if name == "chief":
        environment["CUDA_VISIBLE_DEVICES"] = "-1"  # it trains nothing
    return environment


def _forward(name: str, stream: IO[bytes]) -> None:
    for line in stream:
        text = line.decode(errors="replace").rstrip("\n")
        sys.stderr.write(f"[{name}] {text}\n")
        sys.stderr.flush()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])
