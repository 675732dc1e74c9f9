"""TF_CONFIG and addresses: what is read, and what is refused with which words."""

import json

import pytest

from keras_trainkit.distributed.addresses import Addresses, Task

CLUSTER = {"worker": ["a:1", "b:2"], "ps": ["c:3"]}


def environment(**changes):
    content = {"cluster": CLUSTER, "task": {"type": "worker", "index": 1}} | changes
    return {"TF_CONFIG": json.dumps(content)}


def test_task_survives_the_way_through_the_environment():
    task = Task(Addresses(("a:1", "b:2"), ("c:3",)), "ps", 0)
    assert Task.from_environment({"TF_CONFIG": task.as_text()}) == task


def test_chief_may_be_listed_or_not():
    for cluster in (CLUSTER, CLUSTER | {"chief": ["d:4"]}):
        found = Task.from_environment(
            environment(cluster=cluster, task={"type": "chief", "index": 0})
        )
        assert found.addresses.workers == ("a:1", "b:2")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "must describe the cluster"),
        ({"TF_CONFIG": "{"}, "must be JSON"),
        ({"TF_CONFIG": "[]"}, "must have an object 'cluster'"),
        ({"TF_CONFIG": '{"cluster": {}}'}, "`workers` must name at least one"),
        (environment(cluster=CLUSTER | {"boss": []}), "must have the jobs"),
        (environment(cluster={"worker": "a:1", "ps": ["c:3"]}), "must be a list"),
        (environment(cluster={"worker": ["a"], "ps": ["c:3"]}), "'host:port'"),
        (environment(cluster={"worker": ["a:99999"], "ps": ["c:3"]}), "'host:port'"),
        (environment(cluster={"worker": ["a:1"], "ps": ["a:1"]}), "must occur once"),
        (environment(task={"type": "worker", "index": 2}), "from 0 to 1"),
        (environment(task={"type": "worker", "index": True}), "must be an integer"),
        (environment(task={"type": "boss", "index": 0}), "task type must be one of"),
        (environment(task=None), "must have an object 'task'"),
    ],
)
def test_wrong_description_is_refused_with_what_is_wrong(given, words):
    with pytest.raises(ValueError, match=words):
        Task.from_environment(given)


def test_free_ports_differ():
    found = Addresses.on_loopback(5, 3)
    assert len({*found.workers, *found.servers}) == 8
    assert all(address.startswith("127.0.0.1:") for address in found.workers)
