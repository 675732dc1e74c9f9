"""The ensemble: several models that predict as one, and where they come from."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_trainkit.arguments import check_integer
from keras_trainkit.ensembles.ensemble_report import EnsembleReport
from keras_trainkit.ensembles.from_checkpoints import members_from_checkpoints
from keras_trainkit.ensembles.from_seeds import Fit, members_from_seeds
from keras_trainkit.ensembles.from_tuner import members_from_tuner
from keras_trainkit.ensembles.member_predictions import MemberPredictions
from keras_trainkit.ensembles.reporting import report
from keras_trainkit.ensembles.selection import select
from keras_trainkit.ensembles.voting_model import VotingModel


@keras.saving.register_keras_serializable(package="keras_trainkit")
class Ensemble(VotingModel):
    """Several models that vote, as one Keras model.

    It predicts, evaluates, saves to one `.keras` file and takes a `tf.data.Dataset`
    like any model, with all members in one compiled graph. Probabilities and values
    are averaged; members that end in logits are asked for probabilities first, so
    that the ensemble always predicts probabilities. The order of the members does
    not matter, to the last bit, and a copy of the same members changes nothing. A
    model that is given twice runs once and counts twice.

    If all members are compiled, the ensemble is compiled with the loss and the
    metrics of the first, without `from_logits`. Of penalties on the weights it
    counts the mean over the members.

    Args:
        members: Keras models with the same inputs and outputs. They stay what they
            are: what trains a member changes the ensemble.
        vote: "mean" averages; "majority" counts the members that find a class most
            probable (labels that do not exclude each other: more probable than
            1/2). A tie goes to the class with the larger mean probability, then to
            the first: the mean makes up a thousandth of what is predicted.
        weights: How much each member counts, > 0, in any unit; `None` for all the
            same.
        classes: Labels of the classes in the order of the outputs, or one such list
            for each member: members that do not agree are refused.
        from_logits: Whether members end in logits; `None` reads it from their loss
            and last activation. "softmax" or "sigmoid" says which probabilities;
            by default it is read from the loss, or sigmoid for one unit. May be in
            the structure of the outputs.
        name: Name of the model.

    Raises:
        ValueError: If an argument is outside its range; if a member's outputs or
            classes differ, naming it. What cannot be known before data come is
            checked at the first call.

    Example:
        ```python
        ensemble = tk.ensembles.Ensemble([one, two, three])
        ensemble.evaluate(x_test, y_test)
        ensemble.save("ensemble.keras")
        print(ensemble.report(x_test, y_test))
        ```

    Reference:
        [CS231n notes, model ensembles](https://cs231n.github.io/neural-networks-3/#ensemble)
    """

    def report(
        self,
        x: Any,
        y: Any = None,
        *,
        metric: Any = None,
        output: Any = None,
        confidence: float = 0.95,
        resamples: int = 2000,
        seed: int = 0,
        batch_size: int = 256,
    ) -> EnsembleReport:
        """Scores the members and the ensemble, and says whether the gain is real.

        Examples are drawn anew many times, the same for both sides of a difference
        (paired bootstrap). The interval covers the choice of the examples, not that
        of the seeds that the members were trained with.

        Args:
            x: Inputs as for `predict`: arrays, or a dataset or other iterable of
                batches. Use data that no member was trained on or chosen by.
            y: Targets; `None` if `x` yields them.
            metric: "accuracy", "log_loss", "squared_error", "absolute_error", or a
                function of targets and predictions that returns a loss for each
                example. By default accuracy, or squared error for values.
            output: Name or number of the output, if there are several.
            confidence: Coverage of the intervals, in (0, 1).
            resamples: Draws of the bootstrap, int >= 1.
            seed: Seed of the bootstrap.
            batch_size: Examples in a batch of arrays, int >= 1.

        Raises:
            ValueError: If an argument is outside its range.
        """
        found = MemberPredictions(self, x, y, output, batch_size)
        shares = self._distinct_shares()
        return report(self, found, shares, metric, confidence, resamples, seed)

    @classmethod
    def from_seeds(
        cls,
        build_model: Callable[[], keras.Model],
        members: int = 5,
        fit: Fit = None,
        *,
        seed: int = 0,
        **options: Any,
    ) -> "Ensemble":
        """Trains members that differ in their random numbers only.

        Each is built and trained after `keras.utils.set_random_seed` with a seed of
        its own: initial weights, order of the data and dropout differ. The same
        `seed` gives the same members, and more members begin with the same ones.

        Args:
            build_model: Returns a new compiled model.
            members: How many, int >= 1.
            fit: Arguments of `model.fit` as a dict, or a function that trains the
                model it is given; use that if callbacks are to be made anew for each.
                `None` if `build_model` trains.
            seed: From which the seeds of the members are derived, int >= 0.
            **options: Passed on to `Ensemble`.

        Raises:
            ValueError: If an argument is outside its range, or members come out the
                same.

        Example:
            ```python
            data = {"x": x, "y": y, "epochs": 20, "batch_size": 32}
            ensemble = tk.ensembles.Ensemble.from_seeds(build_model, 5, fit=data)
            ```
        """
        return cls(members_from_seeds(build_model, members, fit, seed), **options)

    @classmethod
    def from_tuner(
        cls,
        tuner: Any,
        members: int = 5,
        fit: Fit = None,
        *,
        seed: int = 0,
        skip_damaged: bool = False,
        **options: Any,
    ) -> "Ensemble":
        """Takes the best models of a hyperparameter search.

        Only completed trials with a finite score count; if there are fewer than
        asked for, the ensemble has fewer members and a warning says so.

        Args:
            tuner: A KerasTuner tuner that has searched.
            members: How many of the best trials, int >= 1.
            fit: `None` loads the models as the search saved them. A dict of
                arguments of `fit`, or a function that trains the model it is given,
                trains the best hyperparameters anew, on more data perhaps.
            seed: For training anew, int >= 0.
            skip_damaged: Whether a trial that cannot be loaded is left out for the
                next best, with a warning.
            **options: Passed on to `Ensemble`.

        Raises:
            ValueError: If no trial is usable, or one cannot be loaded.
        """
        found = members_from_tuner(tuner, members, fit, seed, skip_damaged)
        return cls(found, **options)

    @classmethod
    def from_checkpoints(
        cls,
        paths: Any,
        members: int | None = None,
        *,
        build_model: Callable[[], keras.Model] | None = None,
        custom_objects: Any = None,
        skip_damaged: bool = False,
        **options: Any,
    ) -> "Ensemble":
        """Loads members from files, such as points of one training.

        Args:
            paths: Files ending in `.keras` or `.weights.h5`, or a directory of them,
                which are taken in the order of the numbers in their names.
            members: How many of the last to take; `None` for all.
            build_model: Returns a new model; needed for files of weights.
            custom_objects: As for `keras.models.load_model`.
            skip_damaged: Whether a file that cannot be read, or whose weights are
                not finite, is left out with a warning.
            **options: Passed on to `Ensemble`.

        Raises:
            ValueError: Naming a file that is damaged; if there are too few.
        """
        found = members_from_checkpoints(
            paths, members, build_model, custom_objects, skip_damaged
        )
        return cls(found, **options)

    @classmethod
    def from_selection(
        cls,
        candidates: Sequence[keras.Model],
        x: Any,
        y: Any = None,
        *,
        members: int = 20,
        metric: Any = None,
        output: Any = None,
        batch_size: int = 256,
        **options: Any,
    ) -> "Ensemble":
        """Chooses members greedily by their worth for the ensemble.

        Starts with the candidate that is best on the data and adds the one that
        improves the ensemble most, repetitions allowed, until nothing improves it.

        Args:
            candidates: Models with the same inputs and outputs.
            x: Validation inputs, as for `report`.
            y: Targets; `None` if `x` yields them.
            members: How many at most, repetitions counted, int >= 1.
            metric: As for `report`; by default the log loss, which sees more than
                the accuracy, or the squared error for values.
            output: Name or number of the output, if there are several.
            batch_size: Examples in a batch of arrays, int >= 1.
            **options: Passed on to `Ensemble`, except for `weights`.

        Raises:
            ValueError: If an argument is outside its range, or no candidate has a
                finite score.

        Reference:
            [Caruana et al., 2004, section 2](https://doi.org/10.1145/1015330.1015432)
        """
        check_integer("members", members, minimum=1)
        everyone = cls(candidates, **options)
        found = MemberPredictions(everyone, x, y, output, batch_size)
        chosen = select(everyone, found, metric, members)
        return cls([everyone._distinct[index] for index in chosen], **options)
