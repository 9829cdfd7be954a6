"""Derivatives that are finite where the function is smooth."""

from taut.autodiff.select_gradients import guard_selects as guard_selects

__all__ = [
    "guard_selects",
]
