"""Potentials that stand for rows of earlier fits."""

from typing import Any

# Where such a potential keeps what it knows of these rows.
EARLIER_ROWS = "taut_earlier_rows"


def stands_for_rows(potential: Any) -> bool:
    """Whether a potential stands for rows of earlier fits, and so reads none of the model's."""
    return hasattr(potential.tag, EARLIER_ROWS)
