"""A call of the train function, as the host sees it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Call:
    """One call that has ended.

    Args:
        steps: Steps it made, >= 1.
        seconds: Time from its beginning to that of the next call, or to its own end
            if it is the last for now.
        waited: How much of that it waited for its data; `None` if that is not known.
    """

    steps: int
    seconds: float
    waited: float | None = None
