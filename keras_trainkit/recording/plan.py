"""What is settled before a step is traced, for all that read it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_trainkit.keras_model.layers import MeasuredLayer, short_name
from keras_trainkit.recording.request import Request


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured of a model, and how.

    Args:
        request: What is measured.
        model: The model.
        replica_count: How many replicas train it.
        owners: The layer that owns each trainable variable, by the variable's `id`.
        tapped: The layers whose outputs are looked at.
    """

    request: Request
    model: Any
    replica_count: int
    owners: Mapping[int, MeasuredLayer]
    tapped: tuple[MeasuredLayer, ...]

    @property
    def xla(self) -> bool:
        """Whether XLA compiles the step."""
        return bool(self.model.jit_compile)

    def label_of(self, variable: Any) -> tuple[str, str]:
        """Layer and short name of a trainable variable."""
        owner = self.owners.get(id(variable))
        return (owner.label if owner else ""), short_name(variable, owner)
