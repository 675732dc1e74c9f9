"""Workers and parameter servers as processes of this machine."""

import collections
import os
import subprocess
import sys
import threading
import time

from keras_trainkit.distributed.addresses import SERVER, WORKER, Addresses, Task
from keras_trainkit.distributed.serving import HELD

_PATIENCE = 120.0  # seconds that a process gets to import TensorFlow and to listen
_COMMANDS = {WORKER: "worker", SERVER: "server"}
# With one thread for operations a server cannot answer while it waits for another.
_NOT_HANDED_ON = ("TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS")


class LocalProcesses:
    """Processes that serve on this machine and end with this one.

    Each holds the other end of a pipe: when this process ends, by whatever means,
    the pipe does, and they with it.

    Args:
        addresses: Where they are to listen.

    Raises:
        RuntimeError: If one of them ends instead, with what it said last.
    """

    def __init__(self, addresses: Addresses) -> None:
        self._processes = [
            _Process(Task(addresses, job, index))
            for job in (SERVER, WORKER)
            for index in range(len(addresses.of(job)))
        ]
        try:
            for process in self._processes:
                process.wait_until_it_listens()
        except BaseException:
            self.end()
            raise

    def fallen(self, job: str) -> list[str]:
        """What the processes of a job that have ended said last, one line each."""
        return [
            process.told
            for process in self._processes
            if process.job == job and process.has_ended
        ]

    def pids(self, job: str) -> list[int]:
        """Process numbers of the workers or the servers, ended ones included."""
        return [process.pid for process in self._processes if process.job == job]

    def end(self) -> None:
        """Ends them all and waits until they are gone."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()


class _Process:
    def __init__(self, task: Task) -> None:
        self.job = task.job
        self._name = f"{_COMMANDS[task.job]} {task.index}"
        self._listens = threading.Event()
        self._last: collections.deque[str] = collections.deque(maxlen=5)
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in _NOT_HANDED_ON
        }
        environment |= {"TF_CONFIG": task.as_text(), HELD: "1"}
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "keras_trainkit", _COMMANDS[task.job]],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for this process alone
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def told(self) -> str:
        self._reader.join(timeout=1.0)
        words = self._last[-1] if self._last else "it said nothing"
        return f"{self._name} ended with status {self._process.poll()}: {words}"

    def wait_until_it_listens(self) -> None:
        end = time.monotonic() + _PATIENCE
        while not self._listens.wait(0.05):
            if self.has_ended:
                raise RuntimeError(f"The cluster cannot be started: {self.told}")
            if time.monotonic() > end:
                raise RuntimeError(
                    f"The cluster cannot be started: {self._name} does not listen "
                    f"after {_PATIENCE:.0f} seconds."
                )

    def kill(self) -> None:
        if not self.has_ended:
            self._process.kill()

    def wait(self) -> None:
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                if " listens at " in line:
                    self._listens.set()
                elif line.strip():
                    self._last.append(line.strip())
        except ValueError:  # closed meanwhile
            return
