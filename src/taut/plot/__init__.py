"""Pictures of fits, on the conventions and backends of ArviZ."""

from taut.plot.elbo import plot_elbo as plot_elbo
from taut.plot.images import pictures_of as pictures_of
from taut.plot.khat import plot_khat as plot_khat
from taut.plot.loss import plot_loss as plot_loss
from taut.plot.marginals import plot_dist as plot_dist
from taut.plot.pairs import plot_pair as plot_pair
from taut.plot.shifts import plot_shift as plot_shift
from taut.plot.structure import plot_structure as plot_structure
from taut.plot.timeline import plot_journal as plot_journal
from taut.plot.trackers import plot_tracker as plot_tracker

__all__ = [
    "pictures_of",
    "plot_dist",
    "plot_elbo",
    "plot_journal",
    "plot_khat",
    "plot_loss",
    "plot_pair",
    "plot_shift",
    "plot_structure",
    "plot_tracker",
]
