"""What outputs are, from loss, activation and what the user says of each."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.ensembles.agreement import (
    check_classes,
    check_kinds,
    check_outputs,
)
from keras_trainkit.ensembles.distillation_loss import with_hard
from keras_trainkit.ensembles.from_checkpoints import checkpoint_files
from keras_trainkit.ensembles.from_seeds import member_seeds
from keras_trainkit.ensembles.output_kind import as_probabilities, output_kinds
from keras_trainkit.ensembles.scores import check_classes as check_targets
from tests.tolerances import FLOAT32, FLOAT64

LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def kinds(activation, loss, units=3, said=None):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units, activation)])
    if loss is not None:
        model.compile("sgd", loss)
    return output_kinds(model, model(np.zeros((1, 2))), said)[0]


@pytest.mark.parametrize(
    ("activation", "loss", "units", "said", "kind"),
    [
        ("softmax", None, 3, None, "classes"),
        ("sigmoid", None, 3, None, "labels"),
        (None, None, 3, None, "unknown"),
        (None, None, 3, False, "no logits"),
        (None, None, 3, True, "class logits"),
        (None, None, 1, True, "label logits"),
        (None, LOGITS, 3, None, "class logits"),
        ("softmax", LOGITS, 3, None, "classes"),
        (None, LOGITS, 3, False, "classes"),
        (None, "sparse_categorical_crossentropy", 3, None, "classes"),
        (None, "sparse_categorical_crossentropy", 3, True, "class logits"),
        (None, "binary_crossentropy", 1, True, "label logits"),
        (None, "mse", 3, None, "values"),
        (None, "mse", 3, False, "values"),
        ("softmax", "mse", 3, None, "classes"),
        ("sigmoid", "mse", 3, None, "values"),
        (None, "mse", 3, "softmax", "class logits"),
        ("softmax", "mse", 3, "sigmoid", "label logits"),
        (None, lambda y, p: p, 3, None, "unknown"),
        (None, "of another package", 3, None, "unknown"),
    ],
)
def test_kinds_are_told_from_what_is_known(activation, loss, units, said, kind):
    assert kinds(activation, loss, units, said) == kind


@pytest.mark.parametrize("said", ["tanh", 1.5, {"a": 3}], ids=str)
def test_what_cannot_be_said_of_an_output_is_named(said):
    with pytest.raises(ValueError, match="`from_logits` must be"):
        kinds(None, None, said=said)


def test_each_output_has_its_own_loss_and_its_own_word():
    x = keras.Input((2,))
    heads = {name: keras.layers.Dense(3, name=name)(x) for name in ("b", "a", "c")}
    model = keras.Model(x, heads)
    model.compile("sgd", {"a": "mse", "b": LOGITS})
    outputs = model(np.zeros((1, 2)))
    assert output_kinds(model, outputs) == ("values", "class logits", "unknown")
    assert output_kinds(model, outputs, {"c": "sigmoid", "b": False}) == (
        "values",
        "classes",
        "label logits",
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_logits_become_probabilities_in_float32_at_least(dtype):
    logits = np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 8.0]])
    powers = np.exp(logits)
    wide = "float64" if dtype == "float64" else "float32"
    tolerance = FLOAT64 if dtype == "float64" else FLOAT32
    for kind, expected in (
        ("class logits", powers / powers.sum(axis=1, keepdims=True)),
        ("label logits", powers / (1 + powers)),
    ):
        found = as_probabilities(tf.constant(logits, dtype), kind)
        assert found.dtype == wide
        np.testing.assert_allclose(found, expected, rtol=tolerance)


@pytest.mark.parametrize(
    "kind", ["classes", "labels", "values", "unknown", "no logits"]
)
def test_what_is_no_logits_stays_as_it_is(kind):
    output = tf.constant([1.0], tf.float16)
    assert as_probabilities(output, kind) is output
    with pytest.raises(ValueError, match=r"floating-point numbers.*int32"):
        as_probabilities(tf.constant([1]), kind)


SOFT = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]])


@pytest.mark.parametrize(
    "hard",
    [np.array([2, 0]), np.array([[2], [0]]), np.eye(3)[[2, 0]], np.float64([2, 0])],
    ids=["numbers", "a column", "one-hot", "floats"],
)
def test_true_classes_stand_beside_what_the_teacher_says(hard):
    found = with_hard(SOFT, hard, "classes")
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, np.hstack([SOFT, np.eye(3)[[2, 0]]]))


def test_true_values_take_the_shape_of_the_teachers():
    found = with_hard(SOFT[:, :1], np.array([3, 4]), "values")
    np.testing.assert_array_equal(found, [[0.5, 3.0], [0.0, 4.0]])
    np.testing.assert_array_equal(with_hard(SOFT, None, "classes"), SOFT)
    steps = np.stack([SOFT, SOFT])
    found = with_hard(steps, np.array([[0, 1], [2, 0]]), "classes")
    np.testing.assert_array_equal(found[1, 0], [0.5, 0.25, 0.25, 0.0, 0.0, 1.0])


def test_more_members_begin_with_the_same_seeds():
    seeds = member_seeds(3, 50)
    assert len(set(seeds)) == 50
    assert all(type(one) is int and 0 <= one < 2**32 for one in seeds)
    assert member_seeds(3, 5) == seeds[:5]
    second = np.random.SeedSequence(3, spawn_key=(1,))
    assert seeds[1] == second.generate_state(1)[0]
    assert not set(member_seeds(4, 50)) & set(seeds)
    with pytest.raises(ValueError, match="`seed` must be an integer >= 0"):
        member_seeds(-1, 2)


def names_in(directory, *names):
    for name in names:
        (directory / name).touch()
    return [path.rsplit("/", 1)[-1] for path in checkpoint_files(directory)]


def test_files_of_a_directory_come_in_the_order_of_their_numbers(tmp_path):
    made = ("e10_b2.keras", "e9_b11.h5", ".e1.keras", "e9_b2.keras", "notes.txt")
    assert names_in(tmp_path, *made) == ["e9_b2.keras", "e9_b11.h5", "e10_b2.keras"]


def test_files_of_weights_come_alone(tmp_path):
    made = ("2.weights.h5", "10.weights.h5", "1.weights.h5")
    assert names_in(tmp_path, *made) == [made[2], made[0], made[1]]
    with pytest.raises(ValueError, match="both whole models and weights"):
        names_in(tmp_path, "3.keras")


def test_a_list_of_files_keeps_its_order(tmp_path):
    assert checkpoint_files([tmp_path / "b", "a"]) == [str(tmp_path / "b"), "a"]
    assert checkpoint_files("one.keras") == ["one.keras"]
    for wrong in ([], 3, None, tmp_path):
        with pytest.raises(ValueError, match="`paths` must be a directory"):
            checkpoint_files(wrong)


LABELS = ["Member 0 ('a')", "Member 1 ('b')", "Member 2 ('c')"]


def test_outputs_agree_in_structure_and_in_all_axes_but_the_rows():
    one = {"x": tf.zeros((4, 3)), "y": tf.zeros((4,))}
    check_outputs(LABELS, [one, {"x": tf.zeros((9, 3)), "y": tf.zeros((9,))}])
    check_outputs(LABELS, [keras.KerasTensor((None, None)), tf.zeros((2, 3))])
    for other in (
        {"x": tf.zeros((4, 2)), "y": tf.zeros((4,))},
        {"x": tf.zeros((4, 3)), "y": tf.zeros((4, 1))},
        {"x": tf.zeros((4, 3))},
    ):
        with pytest.raises(ValueError, match=r"Member 2 \('c'\) must have the same"):
            check_outputs(LABELS, [one, one, other])


def test_kinds_agree_or_the_member_that_differs_is_named():
    check_kinds(LABELS, [("classes", "values"), ("no logits", "values")])
    check_kinds(LABELS, [("no logits",), ("labels",), ("labels",)])
    check_kinds(LABELS, [("no logits",), ("no logits",)])
    check_kinds(LABELS, [("unknown",), ("unknown",)])
    with pytest.raises(ValueError, match=r"Member 2 .*must predict probabilities of c"):
        check_kinds(LABELS, [("no logits",), ("classes",), ("labels",)])
    for order in (["unknown", "classes"], ["classes", "unknown"]):
        member = order.index("unknown")
        with pytest.raises(ValueError, match=f"Member {member} .*does not tell"):
            check_kinds(LABELS, [(kind,) for kind in order])


def test_members_have_one_order_of_classes():
    assert check_classes(LABELS, None) is None
    assert check_classes(LABELS, np.array(["a", "b"])) == ["a", "b"]
    assert check_classes(LABELS[:2], [("a", "b"), np.array(["a", "b"])]) == ["a", "b"]
    for wrong, words in (
        ("ab", "must be a list of labels"),
        ([["a"], ["a"]], "one list for each of the 3"),
        ([["a"], ["a"], "a"], "one list for each of the 3"),
        ([["a", "b"], ["a", "b"], ["b", "a"]], "Member 2 .*in another order"),
        ([["a", "b"], ["a", "c"], ["a", "b"]], "Member 1 .*other classes"),
    ):
        with pytest.raises(ValueError, match=words):
            check_classes(LABELS, wrong)


def test_targets_beyond_the_units_are_refused():
    predicted = np.zeros((3, 2))
    check_targets(np.array([0, 1, 1]), predicted)
    check_targets(np.eye(2)[[0, 1, 1]], predicted)
    for wrong, found in (([0, 1, 2], "2"), ([[0], [-1], [5]], "-1, 5")):
        with pytest.raises(ValueError, match=rf"from 0 to 1, .*classes=\[{found}\]"):
            check_targets(np.array(wrong), predicted)
