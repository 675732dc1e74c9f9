"""Searches killed again and again: `forked.py KIND DIRECTORY KILLS`.

TensorFlow is imported once; each search is a forked process that begins as a program
does. It is ended by SIGKILL at a random one of Python's audit events (files opened and
moved, databases, imports, ...), which are as often within a step as between two.
"""

import os
import random
import signal
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np

from keras_trainkit import search
from tests.search.conftest import build, make

kind, directory, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])


def run(place):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(48, 2)).astype("float32")
    y = (x[:, :1] > 0).astype("float32")
    tuner = make(kind, os.path.join(directory, place), build)
    epochs = {} if isinstance(tuner, search.CoarseToFine) else {"epochs": 2}
    tuner.search(x, y, validation_split=0.25, verbose=0, **epochs)


def forked(place, die_at=None):
    """Runs a search in a process of its own; gives its status and how far it came."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            counted = len(pipe.read())
        return os.waitpid(process, 0)[1], counted
    count = 0

    def hook(event, arguments):
        nonlocal count
        count += 1
        if count == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    try:
        run(place)
        os.write(writing, bytes(count))
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


assert keras.backend.backend() == "tensorflow"
status, events = forked("whole")
assert status == 0
draw = random.Random(kind)
hit = 0
for _ in range(kills):
    # Past the start of a program as a rule, so that the search goes on.
    status, _ = forked("cut", die_at=draw.randrange(1, events // 2))
    hit += status == signal.SIGKILL
    assert status in (0, signal.SIGKILL)
assert forked("cut")[0] == 0
print("kills", hit, "events", events)
