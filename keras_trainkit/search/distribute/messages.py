"""How the processes of a search talk: JSON over gRPC, one question, one answer.

KerasTuner's own messages round metrics and scores to 32 bits and have no place for
what went wrong in a trial; these carry both whole.
"""

import json
import os
from typing import Any, NamedTuple

SERVICE = "keras_trainkit.Search"
QUESTION = "Ask"
UNLIMITED = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]
_DEFAULT_SILENCE = 60.0
_VARIABLES = (
    "KERASTUNER_ORACLE_IP",
    "KERASTUNER_ORACLE_PORT",
    "KERASTUNER_TUNER_ID",
    "KERAS_TRAINKIT_TOKEN",
)


class Place(NamedTuple):
    """Where this process stands among those of a search, from its environment.

    Attributes:
        tuner_id: `KERASTUNER_TUNER_ID`; the chief's contains "chief".
        address: `KERASTUNER_ORACLE_IP` and `KERASTUNER_ORACLE_PORT`.
        silence: `KERAS_TRAINKIT_SILENCE`: seconds after which a process that says
            nothing counts as lost, > 0.
        token: `KERAS_TRAINKIT_TOKEN`: a secret that all processes of a search share.
    """

    tuner_id: str
    address: str
    silence: float
    token: str

    @property
    def is_chief(self) -> bool:
        """Whether this process keeps the oracle."""
        return "chief" in self.tuner_id


def this_place() -> Place | None:
    """Reads the environment; `None` if the search runs in one process.

    Raises:
        ValueError: If a variable is missing or makes no sense.
    """
    environment = os.environ
    if "KERASTUNER_ORACLE_IP" not in environment:
        return None
    missing = [name for name in _VARIABLES if not environment.get(name)]
    if missing:
        raise ValueError(
            "A search over several processes needs the environment variables "
            f"{', '.join(_VARIABLES)}; the token is any secret of yours, the same in "
            f"all of them. Missing: {', '.join(missing)}"
        )
    given = environment.get("KERAS_TRAINKIT_SILENCE", str(_DEFAULT_SILENCE))
    try:
        silence = float(given)
    except ValueError:
        silence = -1.0
    if not silence > 0:
        raise ValueError(
            "The environment variable KERAS_TRAINKIT_SILENCE must be a number of "
            f"seconds > 0. Received: KERAS_TRAINKIT_SILENCE={given!r}"
        )
    address = (
        f"{environment['KERASTUNER_ORACLE_IP']}:{environment['KERASTUNER_ORACLE_PORT']}"
    )
    token = environment["KERAS_TRAINKIT_TOKEN"]
    return Place(environment["KERASTUNER_TUNER_ID"], address, silence, token)


def pack(message: dict[str, Any]) -> bytes:
    """A message as it travels; NaN and infinity included."""
    return json.dumps(message).encode()


def unpack(data: bytes) -> dict[str, Any]:
    """A message that arrived.

    Raises:
        ValueError: If it is none.
    """
    try:
        message = json.loads(data)
    except RecursionError as error:
        raise ValueError("a message must not be nested so deep") from error
    if not isinstance(message, dict):
        raise ValueError("a message must be a JSON object")
    return message
