"""A Keras model whose members vote."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from keras_trainkit.arguments import check_choice, check_number, received
from keras_trainkit.ensembles.agreement import (
    check_classes,
    check_kinds,
    check_outputs,
    label,
)
from keras_trainkit.ensembles.compiling import evaluation_options
from keras_trainkit.ensembles.output_kind import AS_SAID, as_probabilities, output_kinds
from keras_trainkit.ensembles.storing import copy_state, restored, share_layers, stored
from keras_trainkit.ensembles.vote import majority_vote, mean_vote, normalized

VOTES = ("mean", "majority")


class VotingModel(keras.Model):
    """Members that vote, as a Keras model; `Ensemble` says what it promises."""

    def __init__(
        self,
        members: Sequence[keras.Model],
        vote: str = "mean",
        weights: Sequence[float] | None = None,
        classes: Any = None,
        from_logits: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        members = _checked_members(members)
        weights = _checked_weights(weights, len(members))
        # Members of another precision take their inputs as they are.
        super().__init__(name=name, autocast=False, **kwargs)
        self.vote = check_choice("vote", vote, VOTES)
        self.from_logits = from_logits
        classes = check_classes(
            [label(index, member) for index, member in enumerate(members)], classes
        )
        self.classes = None if classes is None else tuple(classes)
        distinct = list({id(member): member for member in members}.values())
        places = {id(member): index for index, member in enumerate(distinct)}
        self._distinct = distinct
        self._places = tuple(places[id(member)] for member in members)
        self._weights_given = weights
        self._kinds: tuple[tuple[str, ...], ...] | None = None
        if all(getattr(member, "outputs", None) for member in distinct):
            self._check_shapes([member.outputs for member in distinct])
        self.built = all(member.built for member in distinct)
        self._compile_like_members()

    @property
    def members(self) -> tuple[keras.Model, ...]:
        """The members in the order given, repeated ones as often as given."""
        return tuple(self._distinct[place] for place in self._places)

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, those of the first member.

        Its losses and metrics and what `evaluate` returns go by them.

        Raises:
            AttributeError: If it has none, which is how Keras asks.
        """
        return list(self._distinct[0].output_names)

    @property
    def shares(self) -> tuple[float, ...]:
        """What part of the vote each of `members` has; they sum to 1."""
        return tuple(normalized(self._weights_given or [1.0] * len(self._places)))

    @property
    def kinds(self) -> tuple[str, ...]:
        """What the ensemble predicts, output by output, in the order of `tree.flatten`.

        "classes" are probabilities of classes that exclude each other, "labels" of
        such that do not, "values" are numbers; "unknown" is averaged as it is.

        Raises:
            RuntimeError: If the ensemble was never called.
        """
        if self._kinds is None:
            raise RuntimeError("`kinds` is known once the ensemble has been called.")
        return tuple(
            next((kind for kind in column if kind != AS_SAID), "unknown")
            for column in zip(*map(_after, self._kinds), strict=True)
        )

    def call(self, inputs: Any, training: Any = None) -> Any:
        """Lets the members predict, and combines what they predict."""
        outputs = self.call_members(inputs, training)
        flat = [keras.tree.flatten(output) for output in outputs]
        shares = self._distinct_shares()
        combined = [
            self.combine([output[index] for output in flat], shares, kind)
            for index, kind in enumerate(self.kinds)
        ]
        return keras.tree.pack_sequence_as(outputs[0], combined)

    def call_members(self, inputs: Any, training: Any = None) -> list[Any]:
        """Returns the outputs of each distinct member, logits as probabilities.

        Args:
            inputs: As the members take them.
            training: As for any Keras layer.

        Raises:
            ValueError: If a member cannot take the inputs, or outputs differ.
        """
        outputs = []
        for index, member in enumerate(self._distinct):
            try:
                outputs.append(member(inputs, training=training))
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"{self.member_labels()[index]} cannot take the inputs of the "
                    f"ensemble: {error}"
                ) from error
        self._check_shapes(outputs)
        if self._kinds is None:
            self._kinds = self._found_kinds(outputs)
        return [
            keras.tree.pack_sequence_as(
                output,
                [
                    as_probabilities(tensor, kind)
                    for tensor, kind in zip(
                        keras.tree.flatten(output), kinds, strict=True
                    )
                ],
            )
            for output, kinds in zip(outputs, self._kinds, strict=True)
        ]

    def combine(
        self, outputs: Sequence[Any], shares: Sequence[float], kind: str
    ) -> Any:
        """Combines predictions of one output by the ensemble's vote.

        Args:
            outputs: One tensor each member.
            shares: Their weights, summing to 1.
            kind: What the output is; see `kinds`.

        Raises:
            ValueError: If a majority is to be found among values.
        """
        if self.vote == "mean":
            return mean_vote(outputs, shares)
        if kind == "values":
            raise ValueError(
                "`vote` must be 'mean' where members predict values. "
                + received("vote", self.vote)
            )
        several = outputs[0].shape[-1] > 1
        return majority_vote(outputs, shares, kind != "labels" and several)

    def member_labels(self) -> list[str]:
        """Returns how messages and tables call the distinct members."""
        return [
            label(self._places.index(index), member)
            for index, member in enumerate(self._distinct)
        ]

    @property
    def losses(self) -> list[Any]:
        """The members' penalties, weighted like their votes."""
        return [
            share * loss
            for member, share in zip(
                self._distinct, self._distinct_shares(), strict=True
            )
            for loss in member.losses
        ]

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the compiled loss, which must not expect logits.

        Raises:
            ValueError: If it does.
        """
        said = [getattr(loss, "from_logits", False) for loss in _flat_losses(self.loss)]
        if any(said) and not {"values", "unknown"} & set(self.kinds):
            raise ValueError(
                "`loss` must not have from_logits=True: the ensemble predicts "
                f"probabilities. {received('loss', self.loss)}"
            )
        return super().compute_loss(*args, **kwargs)

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        """Trains all members together, through their mean.

        Raises:
            ValueError: If the vote has no gradient, or there is no optimizer.
        """
        if self.vote == "majority":
            raise ValueError(
                "A majority vote has no gradient. Train the members, or an ensemble "
                f"with vote='mean'. {received('vote', self.vote)}"
            )
        if self.optimizer is None:
            raise ValueError(
                "`compile` the ensemble with an optimizer to train its members "
                f"together. {received('optimizer', None)}"
            )
        return super().train_step(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, members serialised."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "members": [stored(member) for member in self._distinct],
            "places": list(self._places),
            "vote": self.vote,
            "weights": self._weights_given and list(self._weights_given),
            "classes": self.classes and list(self.classes),
            "from_logits": _plain(self.from_logits),
            "kinds": self._kinds and [list(kinds) for kinds in self._kinds],
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: Any = None) -> "VotingModel":
        """Returns the ensemble that `get_config` described, with new members."""
        config = dict(config)
        distinct = [restored(each, custom_objects) for each in config.pop("members")]
        members = [distinct[place] for place in config.pop("places")]
        kinds = config.pop("kinds", None)
        ensemble = cls(members, **config)
        ensemble._kinds = kinds and tuple(tuple(kind) for kind in kinds)
        return ensemble

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves everything in one file, as `keras.Model.save` does.

        Keras cannot restore layers that several models have in common: in the file,
        each member has its own copy of them.
        """
        if not share_layers(self._distinct):
            super().save(*args, **kwargs)
            return
        apart = type(self).from_config(self.get_config())
        if self.compiled:
            apart.compile_from_config(self.get_compile_config())
        for one, other in zip(self._distinct, apart._distinct, strict=True):
            copy_state(one, other)
        apart.save(*args, **kwargs)

    def compile_from_config(self, config: dict) -> None:
        """Compiles as `get_compile_config` says; there may be no optimizer."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    def get_build_config(self) -> None:
        """Returns nothing: members know their shapes themselves."""

    def _distinct_shares(self) -> list[float]:
        weights = self._weights_given or [1.0] * len(self._places)
        total = [
            math.fsum(
                weight
                for weight, place in zip(weights, self._places, strict=True)
                if place == index
            )
            for index in range(len(self._distinct))
        ]
        return normalized(total)

    def _found_kinds(self, outputs: list[Any]) -> tuple[tuple[str, ...], ...]:
        kinds = tuple(
            output_kinds(member, output, self.from_logits)
            for member, output in zip(self._distinct, outputs, strict=True)
        )
        check_kinds(self.member_labels(), [_after(row) for row in kinds])
        return kinds

    def _check_shapes(self, outputs: list[Any]) -> None:
        check_outputs(self.member_labels(), outputs)
        widths = [output.shape[-1] for output in keras.tree.flatten(outputs[0])]
        if self.classes is not None and len(self.classes) not in (
            *widths,
            *(2 for width in widths if width == 1),
        ):
            raise ValueError(
                f"`classes` must name each of the {widths[0]} units that the members "
                f"end in. {received('classes', list(self.classes))}"
            )

    def _compile_like_members(self) -> None:
        if all(member.compiled for member in self._distinct):
            options = evaluation_options(self._distinct[0])
            if options is not None:
                self.compile(optimizer=None, **options)


def _after(kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Returns what outputs are when logits have become probabilities."""
    known = {"class logits": "classes", "label logits": "labels"}
    return tuple(known.get(kind, kind) for kind in kinds)


def _flat_losses(loss: Any) -> list[Any]:
    return [part for part in keras.tree.flatten(loss) if part is not None]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _checked_members(members: Any) -> list[keras.Model]:
    if (
        not isinstance(members, list | tuple)
        or not members
        or not all(isinstance(member, keras.Model) for member in members)
    ):
        raise ValueError(
            "`members` must be a list of Keras models, at least one. "
            + received("members", members)
        )
    return list(members)


def _checked_weights(weights: Any, count: int) -> list[float] | None:
    if weights is None:
        return None
    if isinstance(weights, str) or len(weights) != count:
        raise ValueError(
            f"`weights` must hold one number for each of the {count} members. "
            + received("weights", weights)
        )
    return [
        check_number("weights", _number(weight), 0, open_minimum=True)
        for weight in weights
    ]


def _number(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
