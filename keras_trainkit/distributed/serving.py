"""A process that serves: one worker or one parameter server of a cluster."""

import os
import sys
import threading
from collections.abc import Mapping

from keras_trainkit.arguments import received
from keras_trainkit.distributed.addresses import SERVER, WORKER, Task

# Set for processes that someone on this machine has started and holds a pipe to.
HELD = "KERAS_TRAINKIT_HELD"


def serve(job: str, environment: Mapping[str, str] = os.environ) -> str:
    """Serves until the process is ended.

    Args:
        job: "worker" or "ps"; the task of `TF_CONFIG` must be of this type.
        environment: Where `TF_CONFIG` is.

    Raises:
        ValueError: If `TF_CONFIG` is wrong or describes another task.
        OSError: If the port is taken.
    """
    task = Task.from_environment(environment)
    if task.job != job:
        raise ValueError(
            f"TF_CONFIG's task must be of type {job!r} here; start a worker with "
            f"`worker` ({WORKER!r}) and a parameter server with `server` "
            f"({SERVER!r}). {received('type', task.job)}"
        )
    if environment.get(HELD):
        threading.Thread(target=_end_with_the_holder, daemon=True).start()
    import tensorflow as tf

    address = task.addresses.of(job)[task.index]
    try:
        server = tf.distribute.Server(
            tf.train.ClusterSpec(task.addresses.as_mapping()),
            job_name=job,
            task_index=task.index,
            protocol="grpc",
        )
    except tf.errors.OpError as error:
        raise OSError(
            f"{job} {task.index} cannot listen at {address}; another program may "
            f"have its port. ({error.message})"
        ) from error
    print(f"{job} {task.index} listens at {address}", flush=True)
    server.join()
    return f"{job} {task.index} has ended"


def _end_with_the_holder() -> None:
    # The pipe ends when its holder does, however that happens; nothing is written.
    sys.stdin.buffer.read()
    os._exit(0)
