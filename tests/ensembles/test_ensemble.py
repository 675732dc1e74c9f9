"""The ensemble is a Keras model, and what it predicts is a vote of its members."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_trainkit.ensembles import Ensemble
from tests import models
from tests.ensembles.members import (
    classifier,
    compiled,
    kinds,
    regressor,
    several,
)
from tests.tolerances import EXACT, FLOAT32

SLOW = pytest.mark.slow


def predict(model, x=None, **options):
    return model.predict(models.data()[0] if x is None else x, verbose=0, **options)


def called(model, x=None):
    """Predicts without a compiled graph, whose tracing is most of `predict`."""
    outputs = model(models.data()[0] if x is None else x, training=False)
    return keras.tree.map_structure(np.asarray, outputs)


def mean_of(members, x=None):
    return np.mean([called(member, x) for member in members], axis=0)


@pytest.mark.parametrize("kind", kinds("functional", "subclassed", "shared"))
def test_ensemble_predicts_the_mean_of_members_of_any_kind(kind):
    members = several(kind, 2)
    np.testing.assert_allclose(
        predict(Ensemble(members)), mean_of(members), atol=FLOAT32
    )


@pytest.mark.parametrize("kind", kinds("sequential", "subclassed"))
def test_ensemble_survives_saving_with_members_of_any_kind(kind, tmp_path):
    members = [compiled(member, run_eagerly=True) for member in several(kind, 2)]
    members[1].fit(*models.data(), verbose=0)
    ensemble = Ensemble([*members, members[0]], weights=[1, 2, 3])
    before = called(ensemble)
    ensemble.save(tmp_path / "ensemble.keras")
    loaded = keras.models.load_model(tmp_path / "ensemble.keras")
    assert np.array_equal(called(loaded), before)
    assert loaded.evaluate(*models.data(), verbose=0) == pytest.approx(
        ensemble.evaluate(*models.data(), verbose=0), abs=EXACT
    )
    assert len(loaded.members) == 3
    assert loaded.members[0] is loaded.members[2]
    for old, new in zip(members, loaded.members, strict=False):
        assert models.same(old.get_weights(), new.get_weights())
    states = [each.members[1].optimizer.variables for each in (ensemble, loaded)]
    assert models.same(*([v.numpy() for v in state] for state in states))


def test_saving_keeps_layers_that_members_share(tmp_path):
    trunk = keras.Sequential([keras.Input((8,)), keras.layers.Dense(6, "relu")])
    trunk.trainable = False
    members = []
    for _ in range(2):
        inputs = keras.Input((8,))
        outputs = keras.layers.Dense(3, "softmax")(trunk(inputs))
        members.append(keras.Model(inputs, outputs))
    ensemble = Ensemble(members)
    assert len(ensemble.trainable_variables) == 4
    before = called(ensemble)
    ensemble.save(tmp_path / "ensemble.keras")
    loaded = keras.models.load_model(tmp_path / "ensemble.keras")
    assert np.array_equal(called(loaded), before)
    assert len(loaded.trainable_variables) == 4


@pytest.mark.parametrize("vote", ["mean", "majority"])
def test_adding_a_member_to_itself_changes_nothing(vote):
    member, other = several(count=2)
    alone = called(Ensemble([member], vote=vote))
    for copies in (2, 3, 7):
        assert np.array_equal(called(Ensemble([member] * copies, vote=vote)), alone)
    both = predict(Ensemble([member, other], vote=vote))
    doubled = Ensemble([member, other, other, member, member, other], vote=vote)
    assert np.array_equal(predict(doubled), both)


def test_mean_of_one_member_and_of_its_copies_is_the_member():
    member = classifier()
    twins = [member, *(keras.models.clone_model(member) for _ in range(2))]
    for twin in twins[1:]:
        twin.set_weights(member.get_weights())
    assert np.array_equal(called(Ensemble([member])), called(member))
    assert np.array_equal(called(Ensemble(twins)), called(member))
    uneven = Ensemble(twins, weights=[0.1, 0.7, 0.33])
    assert np.array_equal(called(uneven), called(member))
    assert np.array_equal(predict(uneven), predict(member))


@pytest.mark.parametrize("vote", ["mean", "majority"])
def test_order_of_members_does_not_matter(vote):
    members = several(count=5)
    weights = [0.3, 1.7, 0.01, 5.0, 1.0]
    one = Ensemble(members, vote=vote, weights=weights)
    random = np.random.default_rng(0)
    for _ in range(4):
        order = random.permutation(5)
        shuffled = Ensemble(
            [members[i] for i in order], vote=vote, weights=[weights[i] for i in order]
        )
        assert np.array_equal(called(shuffled), called(one))
    assert np.array_equal(predict(shuffled), predict(one))


@pytest.mark.parametrize("vote", ["mean", "majority"])
def test_probabilities_sum_to_one(vote):
    sums = called(Ensemble(several(count=4), vote=vote)).sum(axis=1)
    np.testing.assert_allclose(sums, 1.0, atol=FLOAT32)


def test_weights_count():
    members = several(count=2)
    first, second = (called(member) for member in members)
    weighted = called(Ensemble(members, weights=[3, 1]))
    np.testing.assert_allclose(weighted, (3 * first + second) / 4, atol=FLOAT32)
    assert Ensemble(members, weights=[3, 1]).shares == (0.75, 0.25)


def test_logits_are_averaged_as_probabilities():
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    members = [compiled(classifier(activation=None), loss) for _ in range(3)]
    logits = np.stack([called(member) for member in members])
    mean = tf.nn.softmax(logits).numpy().mean(axis=0)
    for said in (None, True, "softmax"):
        ensemble = Ensemble(members, from_logits=said)
        np.testing.assert_allclose(called(ensemble), mean, atol=FLOAT32)
        assert ensemble.kinds == ("classes",)
    raw = called(Ensemble(members, from_logits=False))
    np.testing.assert_allclose(raw, logits.mean(axis=0), atol=FLOAT32)


def test_single_logits_become_probabilities_by_sigmoid():
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    members = [compiled(classifier(activation=None, classes=1), loss) for _ in range(2)]
    mean = tf.nn.sigmoid(np.stack([called(m) for m in members])).numpy().mean(axis=0)
    np.testing.assert_allclose(called(Ensemble(members)), mean, atol=FLOAT32)


def test_evaluate_works_without_compile_and_without_logits():
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    members = [compiled(classifier(activation=None), loss) for _ in range(2)]
    x, y = models.data()
    ensemble = Ensemble(members)
    reached, accuracy = ensemble.evaluate(x, y, verbose=0)
    mean = called(ensemble)
    assert accuracy == pytest.approx(np.mean(mean.argmax(1) == y), abs=FLOAT32)
    expected = -np.log(mean[np.arange(len(y)), y]).mean()
    assert reached == pytest.approx(expected, abs=FLOAT32)
    ensemble.compile(loss=loss)
    with pytest.raises(ValueError, match="must not have from_logits=True"):
        ensemble.evaluate(x, y, verbose=0)


def test_penalties_of_members_are_averaged():
    member = compiled(models.regularized())
    alone = member.evaluate(*models.data(), verbose=0)[0]
    ensemble = Ensemble([member, member])
    assert ensemble.evaluate(*models.data(), verbose=0)[0] == pytest.approx(alone, 1e-6)


def test_majority_gives_shares_of_votes_and_breaks_ties_by_probability():
    rows = np.array([[0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1]], "float32")
    assert fixed_vote(rows).argmax() == 0
    np.testing.assert_allclose(fixed_vote(rows), [2 / 3, 1 / 3, 0], atol=1e-3)
    tied = np.array([[0.5, 0.4, 0.1], [0.1, 0.8, 0.1]], "float32")
    assert fixed_vote(tied).argmax() == 1
    assert fixed_vote(tied[::-1]).argmax() == 1
    even = np.array([[0.6, 0.4, 0.0], [0.4, 0.6, 0.0]], "float32")
    assert fixed_vote(even).argmax() == 0


def test_majority_of_labels_counts_each_label():
    rows = np.array([[0.9, 0.2], [0.8, 0.1], [0.0, 0.9]], "float32")
    voted = fixed_vote(rows, "binary_crossentropy")
    np.testing.assert_allclose(voted, [2 / 3, 1 / 3], atol=1e-3)
    tied = fixed_vote(rows[1:], "binary_crossentropy")
    assert tied[0] < 0.5
    assert tied[1] > 0.4
    assert (tied > 0.5).tolist() == [False, False]


def fixed_vote(rows, loss="sparse_categorical_crossentropy"):
    """Lets members vote that always predict a row."""
    ensemble = Ensemble([constant(row, loss) for row in rows], vote="majority")
    return called(ensemble, np.zeros((1, 2)))[0]


def constant(row, loss=None):
    layer = keras.layers.Dense(len(row), kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((2,)), layer])
    layer.bias.assign(row)
    if loss is not None:
        model.compile("sgd", loss)
    return model


def test_majority_of_values_is_refused():
    ensemble = Ensemble(several(regressor), vote="majority")
    with pytest.raises(ValueError, match="must be 'mean' where members predict values"):
        called(ensemble)


def test_regression_averages_values():
    members = several(regressor)
    ensemble = Ensemble(members)
    np.testing.assert_allclose(called(ensemble), mean_of(members), atol=FLOAT32)
    assert ensemble.kinds == ("values",)


def test_several_outputs_keep_their_structure():
    members = several(models.two_outputs, 2)
    for member in members:
        member.compile(
            "adam", {"kind": "sparse_categorical_crossentropy", "size": "mse"}
        )
    ensemble = Ensemble(members)
    one, two = (called(member) for member in members)
    both = predict(ensemble)
    assert set(both) == {"kind", "size"}
    assert ensemble.kinds == ("classes", "values")
    for name in both:
        np.testing.assert_allclose(
            both[name], (one[name] + two[name]) / 2, atol=FLOAT32
        )
    x, y = models.data()
    targets = {"kind": y, "size": x[:, :1]}
    assert len(ensemble.evaluate(x, targets, verbose=0)) >= 1


def test_lists_of_outputs_and_dicts_of_inputs_work():
    def build():
        names = ("left", "right")
        inputs = {name: keras.Input((8,), name=name) for name in names}
        hidden = keras.layers.Add()(list(inputs.values()))
        heads = [
            keras.layers.Dense(2)(hidden),
            keras.layers.Dense(3, "softmax")(hidden),
        ]
        return keras.Model(inputs, heads)

    members = several(build, 2)
    x = {"left": models.data()[0], "right": models.data(seed=1)[0]}
    outputs = predict(Ensemble(members), x)
    assert isinstance(outputs, list)
    assert [o.shape[1] for o in outputs] == [2, 3]
    second = (called(members[0], x)[1] + called(members[1], x)[1]) / 2
    np.testing.assert_allclose(outputs[1], second, atol=FLOAT32)


def sizes():
    inputs = keras.Input((8,))
    heads = [keras.layers.Dense(1, name=name)(inputs) for name in ("size", "width")]
    return keras.Model(inputs, heads)


BY_NAME = {
    "loss": {"size": "mse", "width": "mae"},
    "loss_weights": {"size": 1.0, "width": 0.3},
    "metrics": {"size": ["mae"], "width": ["mse", "mae"]},
}
ONE_FOR_ALL = {"loss": "mse", "metrics": [["mae"], ["mae"]]}
OF_ONE_OUTPUT = {"loss": ["mse", None], "metrics": {"size": "mae"}}
COMPILED = [
    pytest.param({"loss": ["mse", "mse"]}, id="two equal losses", marks=SLOW),
    pytest.param(ONE_FOR_ALL, id="one loss for all", marks=SLOW),
    pytest.param(BY_NAME, id="losses and metrics by name"),
    pytest.param(OF_ONE_OUTPUT, id="a loss of one output"),
]


@pytest.mark.parametrize("options", COMPILED)
def test_evaluation_is_named_and_valued_as_that_of_the_members(options, tmp_path):
    one, twin = several(sizes, 2)
    twin.set_weights(one.get_weights())
    for member in (one, twin):
        member.compile("adam", **options)
    x, _ = models.data()
    targets = [x[:, :1], x[:, 1:2]]
    expected = one.evaluate(x, targets, verbose=0, return_dict=True)
    both = Ensemble([one, twin])
    assert both.evaluate(x, targets, verbose=0, return_dict=True) == expected
    both.save(tmp_path / "both.keras")
    loaded = keras.models.load_model(tmp_path / "both.keras")
    assert loaded.evaluate(x, targets, verbose=0, return_dict=True) == expected


def test_members_that_share_a_vocabulary_are_saved_with_it(tmp_path):
    texts = tf.constant(["a good film", "a bad film", "so bad"] * 4)
    words = keras.layers.TextVectorization(output_mode="multi_hot")
    words.adapt(texts)

    def build():
        inputs = keras.Input((), dtype="string")
        return keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(words(inputs)))

    ensemble = Ensemble(several(build, 2))
    before = called(ensemble, texts)
    ensemble.save(tmp_path / "ensemble.keras")
    loaded = keras.models.load_model(tmp_path / "ensemble.keras")
    assert np.array_equal(called(loaded, texts), before)
    labels = np.array([1, 0, 0] * 4)
    assert ensemble.report(texts, labels).examples == 12


@pytest.mark.parametrize(
    "options",
    [
        {"run_eagerly": True},
        pytest.param({"jit_compile": True}, marks=SLOW),
        {"steps_per_execution": 2},
    ],
    ids=lambda options: next(iter(options)),
)
def test_every_way_to_run_predicts_alike(options):
    x, y = models.data()
    members = several(models.residual, 2)
    expected = mean_of(members)
    scores = [
        -np.log(expected[np.arange(len(y)), y]).mean(),
        np.mean(expected.argmax(1) == y),
    ]
    ensemble = Ensemble(members)
    ensemble.compile(
        loss="sparse_categorical_crossentropy", metrics=["accuracy"], **options
    )
    np.testing.assert_allclose(predict(ensemble), expected, atol=FLOAT32)
    np.testing.assert_allclose(ensemble.evaluate(x, y, verbose=0), scores, atol=FLOAT32)


def test_datasets_work():
    x, y = models.data()
    ensemble = Ensemble([compiled(member) for member in several(count=2)])
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
    assert np.array_equal(predict(ensemble, dataset), predict(ensemble, batch_size=16))
    assert ensemble.evaluate(dataset, verbose=0) == ensemble.evaluate(
        x, y, batch_size=16, verbose=0
    )


def test_mixed_precision_members_vote_in_single_precision():
    keras.config.set_dtype_policy("mixed_float16")
    half = several(count=2)
    ensemble = Ensemble(half)
    keras.config.set_dtype_policy("float32")
    found = predict(ensemble)
    assert found.dtype == "float32"
    mean = np.mean([called(m).astype("float32") for m in half], axis=0)
    np.testing.assert_allclose(found, mean, atol=FLOAT32)


def test_single_precision_members_keep_it_under_a_mixed_policy():
    member = classifier()
    expected = called(member)
    keras.config.set_dtype_policy("mixed_float16")
    assert np.array_equal(called(Ensemble([member, member])), expected)


def test_double_precision_is_kept():
    keras.config.set_floatx("float64")
    members = several(count=3)
    assert predict(Ensemble(members)).dtype == "float64"
    assert np.array_equal(called(Ensemble([members[0]] * 3)), called(members[0]))


def test_replicas_predict_and_evaluate_like_one(two_replicas):
    x, y = models.data()
    with two_replicas.scope():
        members = [compiled(member) for member in several(count=2)]
        ensemble = Ensemble(members)
    found, scores = predict(ensemble), ensemble.evaluate(x, y, verbose=0)
    mean = mean_of(members)
    np.testing.assert_allclose(found, mean, atol=FLOAT32)
    assert scores[1] == pytest.approx(np.mean(mean.argmax(1) == y), abs=FLOAT32)


def test_fit_trains_all_members_through_the_mean():
    members = [compiled(member) for member in several(count=2)]
    before = [member.get_weights() for member in members]
    ensemble = Ensemble(members)
    with pytest.raises(ValueError, match="with an optimizer"):
        ensemble.fit(*models.data(), verbose=0)
    ensemble.compile("adam", "sparse_categorical_crossentropy")
    losses = ensemble.fit(*models.data(), epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    for member, old in zip(members, before, strict=True):
        assert not models.same(member.get_weights(), old)


def test_gradient_is_that_of_the_plain_mean():
    members = several(count=3)
    x = tf.constant(models.data()[0])
    ensemble = Ensemble(members)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(ensemble(x)[:, 0] ** 2)
    found = tape.gradient(loss, members[1].trainable_variables)
    with tf.GradientTape() as tape:
        plain = tf.reduce_mean(tf.stack([member(x) for member in members]), axis=0)
        loss = tf.reduce_sum(plain[:, 0] ** 2)
    expected = tape.gradient(loss, members[1].trainable_variables)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=FLOAT32)


def test_majority_cannot_be_trained():
    ensemble = Ensemble(several(), vote="majority")
    ensemble.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="majority vote has no gradient"):
        ensemble.fit(*models.data(), verbose=0)


def test_ensembles_nest():
    members = several(count=4)
    nested = Ensemble([Ensemble(members[:2]), Ensemble(members[2:])])
    np.testing.assert_allclose(predict(nested), called(Ensemble(members)), atol=FLOAT32)


def test_unbuilt_members_are_built_by_data():
    def build():
        return keras.Sequential([keras.layers.Dense(3, "softmax")])

    ensemble = Ensemble(several(build))
    assert not ensemble.built
    np.testing.assert_allclose(predict(ensemble).sum(axis=1), 1.0, atol=FLOAT32)


ERRORS = {
    "no members": ({"members": []}, "`members` must be a list of Keras models"),
    "no model": ({"members": [3]}, r"Received: members=\[3\]"),
    "vote": ({"vote": "best"}, "`vote` must be one of 'mean', 'majority'"),
    "count of weights": ({"weights": [1]}, "one number for each of the 2 members"),
    "weight": ({"weights": [1, -1]}, "`weights` must be a finite number > 0"),
    "classes": ({"classes": "abc"}, "`classes` must be a list of labels"),
    "count of classes": ({"classes": ["a", "b"]}, "must name each of the 3 units"),
    "lists of classes": ({"classes": [["a", "b", "c"]]}, "one list for each of the 2"),
}


@pytest.mark.parametrize(("changes", "message"), ERRORS.values(), ids=ERRORS)
def test_wrong_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Ensemble(**{"members": several(count=2), **changes})


def test_from_logits_of_no_known_form_is_refused():
    with pytest.raises(ValueError, match="`from_logits` must be"):
        called(Ensemble(several(), from_logits="tanh"))


def test_member_with_other_outputs_is_named():
    odd = classifier(classes=4)
    with pytest.raises(ValueError, match=rf"Member 2 \('{odd.name}'\) must have the"):
        Ensemble([*several(count=2), odd])


def test_unbuilt_member_with_other_outputs_is_named():
    odd = keras.Sequential([keras.layers.Dense(4, "softmax")])
    ensemble = Ensemble([classifier(), odd])
    with pytest.raises(ValueError, match=rf"Member 1 \('{odd.name}'\)"):
        called(ensemble)


def test_member_with_other_inputs_is_named():
    odd = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, "softmax")])
    with pytest.raises(ValueError, match=rf"Member 1 \('{odd.name}'\) cannot take"):
        called(Ensemble([classifier(), odd]))


def test_member_with_another_order_of_classes_is_named():
    members = several()
    orders = [["cat", "dog", "owl"], ["cat", "dog", "owl"], ["dog", "cat", "owl"]]
    message = rf"Member 2 \('{members[2].name}'\) has the classes in another order"
    with pytest.raises(ValueError, match=message):
        Ensemble(members, classes=orders)
    assert Ensemble(members, classes=orders[:2] * 1 + orders[:1]).classes == (
        "cat",
        "dog",
        "owl",
    )


def test_member_that_predicts_values_among_classifiers_is_named():
    odd = compiled(classifier(activation=None), "mse", [])
    members = [compiled(classifier()), odd]
    with pytest.raises(ValueError, match=r"Member 1 \(.*must predict probabilities"):
        called(Ensemble(members))


def test_member_of_which_logits_cannot_be_told_is_named():
    members = [classifier(), classifier(activation=None)]
    with pytest.raises(ValueError, match="does not tell whether it ends in logits"):
        called(Ensemble(members))
    assert called(Ensemble(members, from_logits=False)).shape == (48, 3)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    st.lists(
        st.lists(st.floats(-(2.0**90), 2.0**90, width=32), min_size=3, max_size=3),
        min_size=1,
        max_size=9,
    ),
    st.randoms(use_true_random=False),
)
def test_any_values_are_averaged_in_any_order(rows, random):
    outputs = [tf.constant(row, tf.float32) for row in rows]
    shares = [1.0 / len(rows)] * len(rows)
    ensemble = Ensemble([constant([0.0], "mse")])
    found = ensemble.combine(outputs, shares, "values").numpy()
    random.shuffle(outputs)
    assert np.array_equal(ensemble.combine(outputs, shares, "values").numpy(), found)
    exact = np.mean(np.array(rows, np.float64), axis=0)
    np.testing.assert_allclose(found, exact, rtol=FLOAT32, atol=2.0**90 * FLOAT32)


def test_infinity_and_nan_stay_what_they_are():
    ensemble = Ensemble([constant([0.0], "mse")])
    rows = [[1.0, np.inf, np.inf, np.nan], [2.0, np.inf, 1.0, 1.0]]
    outputs = [tf.constant(row, tf.float32) for row in rows]
    found = ensemble.combine(outputs, [0.5, 0.5], "values").numpy()
    np.testing.assert_array_equal(found, [1.5, np.inf, np.inf, np.nan])


def test_members_of_which_nothing_is_known_may_be_said_to_end_in_no_logits():
    members = [
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]) for _ in range(2)
    ]
    ensemble = Ensemble(members, from_logits=False)
    x = np.ones((4, 2), "float32")
    mean = np.mean([member(x) for member in members], axis=0)
    np.testing.assert_allclose(ensemble(x), mean, rtol=FLOAT32)
    assert ensemble.kinds == ("unknown",)
