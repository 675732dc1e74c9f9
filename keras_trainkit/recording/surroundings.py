"""Where a run takes place: machine, command and state of the code."""

import os
import platform
import shlex
import socket
import sys
from typing import Any

import tensorflow as tf

from keras_trainkit.keras_model.outputs import loss_name


def surroundings(model: Any) -> dict[str, str]:
    """Returns what a reader of the record will want to know, as far as it is known.

    Args:
        model: The model, compiled.

    Returns:
        `host`, `device`, `command`, `directory`, `commit` (of the Git repository
        that the working directory lies in) and `loss`; those unknown are left out.
    """
    found = {
        "host": socket.gethostname(),
        "device": _device(model),
        "command": shlex.join([os.path.basename(sys.executable), *sys.orig_argv[1:]]),
        "directory": os.getcwd(),
        "commit": commit(os.getcwd()),
        "loss": _loss(model),
    }
    return {name: words for name, words in found.items() if words}


def commit(directory: str) -> str:
    """The commit that a directory's repository is at, "" if there is none.

    Read from Git's own files: no program is started.
    """
    try:
        git = _repository(directory)
        if not git:
            return ""
        head = _text(os.path.join(git, "HEAD"))
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        shared = git
        if os.path.isfile(os.path.join(git, "commondir")):
            shared = os.path.join(git, _text(os.path.join(git, "commondir")))
        for folder in (git, shared):
            if os.path.isfile(os.path.join(folder, name)):
                return _text(os.path.join(folder, name))
        for line in _text(os.path.join(shared, "packed-refs")).splitlines():
            if line.endswith(f" {name}"):
                return line.split()[0]
    except (OSError, UnicodeDecodeError):
        pass
    return ""


def _repository(directory: str) -> str:
    """Git's folder for the repository that a directory lies in, "" if it does not."""
    while True:
        git = os.path.join(directory, ".git")
        if os.path.isdir(git):
            return git
        if os.path.isfile(git):  # a worktree names its folder
            return os.path.join(directory, _text(git).removeprefix("gitdir: "))
        above = os.path.dirname(directory)
        if above == directory:
            return ""
        directory = above


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def _device(model: Any) -> str:
    replicas = model.distribute_strategy.num_replicas_in_sync
    times = f"{replicas} replicas on " if replicas > 1 else ""
    names = [
        str(tf.config.experimental.get_device_details(gpu).get("device_name", "GPU"))
        for gpu in tf.config.get_visible_devices("GPU")
    ]
    if names:
        return times + ", ".join(names)
    return f"{times}CPU, {platform.machine()}, {os.cpu_count()} cores"


def _loss(model: Any) -> str:
    """The loss that the model was compiled with, by its name or names."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, dict):
        return ", ".join(f"{name} {_name(one)}" for name, one in loss.items())
    if isinstance(loss, list | tuple):
        return ", ".join(_name(one) for one in loss)
    return _name(loss)


def _name(loss: Any) -> str:
    if loss is None:
        return ""
    return loss if isinstance(loss, str) else loss_name(loss)
