"""Clusters on this machine: what they learn, what they survive, what they leave."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from keras_trainkit.distributed.addresses import Addresses, Task
from tests.distributed.programs import FALLING

pytestmark = pytest.mark.slow


def program(name, directory):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.distributed.programs", name, str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(name, directory):
    ended = program(name, directory)
    output, errors = ended.communicate(timeout=400)
    assert ended.returncode == 0, errors[-3000:]
    return json.loads(output.splitlines()[-1])


def is_alive(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{number}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"


def test_downpour_learns_counts_and_goes_on(tmp_path):
    found = result("learning", tmp_path)
    # Which worker was how far decides the last digits: 0.845 was seen, chance is 0.1.
    assert found["history"]["val_accuracy"][-1] > 0.7
    assert len(found["history"]["loss"]) == 2
    # Every update has its own number: none was lost or counted twice.
    assert found["updates"] == list(range(200))
    assert min(found["staleness"]) >= 0
    assert set(found["workers"]) == {"worker 0", "worker 1"}
    assert found["same"]
    assert found["rest"] == [2]
    assert found["iterations"] == 220
    # 120 batches, two to an update: the schedule saw 60 updates.
    assert found["rate"] == pytest.approx(float(FALLING(60)), rel=1e-6)
    assert found["epochs"] == [0, 1]
    assert found["rates"] == [1.0, 0.5]
    assert found["gain"] < 0.9
    assert "five is out" in found["error"]


def test_killed_worker_costs_nothing_and_killed_server_is_named(tmp_path):
    found = result("killing", tmp_path)
    assert found["updates"] >= 120
    assert found["staleness"] >= 1
    assert "parameter server is lost" in found["error"]
    assert str(tmp_path / "state.npz") in found["error"]
    assert found["kept"] > 0


def test_gradient_in_parts_is_the_gradient_whoever_dies(tmp_path):
    found = result("parts", tmp_path)
    here, there = found["value"]
    assert there == pytest.approx(here, rel=1e-6)
    assert found["gradient"] < 1e-6
    assert found["same"]
    assert found["far"] < 1e-2
    assert found["loss"] < 0.2
    # Models outlive the cluster that they were made beside.
    assert found["after"] == found["later"] < 1.0
    assert "reads no variables but those of its layers" in found["error"]


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_one_that_started_it(by, tmp_path):
    holder = program("holding", tmp_path)
    numbers = [n for job in json.loads(holder.stdout.readline()).values() for n in job]
    assert len(numbers) == 2
    assert all(map(is_alive, numbers))
    holder.send_signal(by)
    holder.communicate(timeout=60)
    end = time.monotonic() + 30
    while any(map(is_alive, numbers)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_alive, numbers))


def refused(task):
    """What a worker says that ends with an error as soon as it is started."""
    ended = subprocess.run(
        [sys.executable, "-m", "keras_trainkit", "worker"],
        env=os.environ | {"TF_CONFIG": task.as_text()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    return ended.stderr


def test_taken_port_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        task = Task(Addresses((address,), ("127.0.0.1:1",)), "worker", 0)
        said = refused(task)
    assert f"error: worker 0 cannot listen at {address}" in said


def test_wrong_task_is_refused_before_anything_starts():
    task = Task(Addresses(("a:1",), ("b:1",)), "ps", 0)
    said = refused(task)
    assert "must be of type 'worker' here" in said
