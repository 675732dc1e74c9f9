"""A process that is killed at any moment leaves all that it had written."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

# More of them: `KILLS=20 pytest -m slow tests/callbacks/test_kills.py`.
KILLS = int(os.environ.get("KILLS", "6"))

# TensorFlow is imported once and first used in the children.
SCRIPT = textwrap.dedent(
    """
    import json, os, random, signal, sys, time

    import keras
    from keras_trainkit import callbacks
    from keras_trainkit.record import TrainingRecord
    from tests import models

    directory, kills = sys.argv[1], int(sys.argv[2])
    draw = random.Random(0)

    def train(path):
        model = models.small()
        model.compile("sgd", models.CROSSENTROPY, jit_compile=False)
        monitor = callbacks.TrainingMonitor(path, every=1, tensorboard=True)
        model.fit(*models.data(), batch_size=4, epochs=10_000, verbose=0,
                  callbacks=[monitor])

    def losses(path):
        try:
            return TrainingRecord.open(path).values("loss")[0].tolist()
        except ValueError as error:
            return [] if "must be a record file" in str(error) else [str(error)]

    for number in range(kills):
        path = os.path.join(directory, str(number))
        child = os.fork()
        if not child:
            train(path)
            os._exit(1)
        while not losses(path):
            time.sleep(0.05)
        # A while later, anywhere between two commits.
        end = time.monotonic() + draw.random()
        seen = []
        while time.monotonic() < end:
            seen = losses(path) or seen
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        print(json.dumps([os.WTERMSIG(status), seen, losses(path)]), flush=True)
    """
)


@pytest.mark.slow
def test_kills_lose_nothing_that_was_written(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), str(KILLS)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    kills = [json.loads(line) for line in ended.stdout.splitlines() if line[:1] == "["]
    assert len(kills) == KILLS
    for signal_number, before, after in kills:
        assert signal_number == 9
        assert after == list(range(len(after)))
        assert len(after) >= max(1, len(before))
        assert len(after) % 12 == 0  # whole epochs
