"""Spaces are compared by what can be drawn from them."""

import json

import keras_tuner
import pytest

from keras_trainkit.search.engine.resuming import check_space, widened_space
from keras_trainkit.search.engine.space_change import (
    entry_key,
    is_widening,
    space_changes,
)


def of(*declarations, stored=False):
    """What `get_config` tells of a space; a stored one has been through JSON."""
    space = declared(*declarations).get_config()["space"]
    return json.loads(json.dumps(space)) if stored else space


def declared(*declarations, names="xyz"):
    hp = keras_tuner.HyperParameters()
    for name, (kind, *arguments) in zip(names, declarations, strict=False):
        named = arguments and isinstance(arguments[-1], dict)
        options = arguments.pop() if named else {}
        getattr(hp, kind)(name, *arguments, **options)
    return hp


LOG, REVERSE = {"sampling": "log"}, {"sampling": "reverse_log"}
EVEN, DOUBLED = {"step": 8}, {"step": 2, **LOG}


@pytest.mark.parametrize(
    ("before", "after", "wider"),
    [
        (("Float", 1.0, 2.0), ("Float", 1.0, 2.0), True),
        (("Float", 1.0, 2.0), ("Float", 0.5, 3.0), True),
        (("Float", 1.0, 2.0), ("Float", 1.5, 3.0), False),
        (("Float", 1.0, 2.0), ("Float", 0.5, 1.5), False),
        (("Float", 1.0, 2.0), ("Float", 0.5, 3.0, LOG), True),
        (("Float", 1.0, 2.0), ("Float", 0.0, 2.0, {"step": 0.5}), False),
        (("Int", 1, 9, LOG), ("Float", 1.0, 9.0), False),
        (("Int", 8, 64), ("Int", 5, 99), True),
        (("Int", 8, 64, EVEN), ("Int", 16, 64, EVEN), False),
        (("Int", 16, 64, EVEN), ("Int", 8, 72, EVEN), True),
        (("Int", 16, 64, EVEN), ("Int", 4, 64, EVEN), False),
        (("Int", 16, 64, EVEN), ("Int", 8, 64), True),
        (("Int", 16, 64, EVEN), ("Int", 8, 64, {"step": 4}), True),
        (("Int", 16, 64, EVEN), ("Int", 16, 64, {"step": 3}), False),
        (("Int", 8, 64), ("Int", 8, 64, EVEN), False),
        (("Int", 8, 64, EVEN), ("Int", 0, 64, {"step": 16}), False),
        (("Int", 8, 64, EVEN), ("Int", 8, 64, DOUBLED), False),
        (("Float", 0.3, 0.9, {"step": 0.1}), ("Float", 0.1, 0.9, {"step": 0.1}), True),
        (("Float", 0.1, 0.9, {"step": 0.2}), ("Float", 0.0, 0.9, {"step": 0.2}), False),
        (("Float", 0.2, 0.8, {"step": 0.2}), ("Float", 0.2, 0.8), True),
        (("Int", 8, 64, DOUBLED), ("Int", 2, 128, DOUBLED), True),
        (("Int", 8, 64, DOUBLED), ("Int", 3, 64, DOUBLED), False),
        (("Int", 8, 64, {"step": 2}), ("Int", 8, 64, DOUBLED), False),
        (("Int", 8, 64), ("Int", 8, 64, LOG), True),
        (("Float", 1.0, 16.0, REVERSE), ("Float", 1.0, 32.0, REVERSE), True),
        (
            ("Float", 1.0, 16.0, {"step": 2, **REVERSE}),
            ("Float", 1.0, 32.0, {"step": 2, **REVERSE}),
            False,
        ),
        (("Choice", [1, 3]), ("Choice", [3, 2, 1]), True),
        (("Choice", [1, 3]), ("Choice", [1, 2]), False),
        (("Boolean",), ("Boolean",), True),
        (("Fixed", 3), ("Fixed", 3), True),
        (("Fixed", 3), ("Fixed", 4), False),
    ],
    ids=str,
)
def test_a_wider_range_holds_every_value_of_the_one_before(before, after, wider):
    assert is_widening(of(before, stored=True), of(after)) is wider


def test_changes_are_told_by_name_in_order():
    before = of(("Float", 1e-4, 1.0, LOG), ("Int", 8, 64, EVEN), stored=True)
    after = of(("Float", 1e-3, 1.0, LOG), ("Int", 8, 64), ("Fixed", "a"))
    assert space_changes(before, after) == [
        "x: Float 0.0001 to 1 (log) -> Float 0.001 to 1 (log)",
        "y: Int 8 to 64 step 8 -> Int 8 to 64",
        "z: new, Fixed a",
    ]
    assert space_changes(after, before)[2] == "z: gone, was Fixed a"
    assert space_changes(of(("Float", 0.0, 1.0, {"step": 0.25})), []) == [
        "x: gone, was Float 0 to 1 step 0.25"
    ]
    gone = space_changes(of(*[("Fixed", 1)] * 3), [])
    assert [line[0] for line in gone] == ["x", "y", "z"]


def test_what_was_stored_and_is_declared_again_has_not_changed():
    space = ("Choice", ["a", "b"]), ("Int", 1, 9), ("Boolean",)
    assert space_changes(of(*space, stored=True), of(*space)) == []
    assert is_widening(of(*space, stored=True), of(*space))
    assert is_widening(of(*space[:2], stored=True), of(*space))
    assert not is_widening(of(*space, stored=True), of(*space[:2]))


def test_the_same_name_under_another_condition_is_another_hyperparameter():
    def key(values):
        hp = keras_tuner.HyperParameters()
        hp.Choice("kind", ["a", "b"])
        with hp.conditional_scope("kind", values):
            hp.Int("x", 1, 9)
        config = hp.get_config()["space"][1]["config"]
        stored = json.loads(json.dumps(config))
        assert entry_key(stored) == entry_key(config)
        return entry_key(config)

    assert key(["a"]) != key(["b"])
    assert key(["a"])[0] == "x"


def test_a_changed_space_goes_on_only_if_it_is_wider_and_that_was_asked_for():
    then = of(("Int", 8, 64), stored=True)
    wider, other = of(("Int", 1, 64)), of(("Int", 9, 64))
    assert check_space(of(("Int", 8, 64)), then, "widen", "p") is False
    assert check_space(wider, then, "widen", "p") is True
    with pytest.raises(ValueError, match='"widen" would go on with wider ranges'):
        check_space(wider, then, "error", "p")
    with pytest.raises(ValueError, match='"widen" takes only ranges that hold'):
        check_space(other, then, "widen", "p")


def test_a_widened_space_keeps_what_trials_brought_to_light():
    stored = declared(("Int", 8, 64), ("Boolean",))
    found = widened_space(declared(("Int", 1, 64)), stored)
    assert [(hp.name, getattr(hp, "min_value", None)) for hp in found.space] == [
        ("x", 1),
        ("y", None),
    ]
