"""Compiled programs, and what they cost."""

from taut.engine.blas_threads import single_threaded as single_threaded
from taut.engine.call_log import CallLog as CallLog
from taut.engine.callback_errors import remember_error as remember_error
from taut.engine.devices import AXIS as AXIS
from taut.engine.devices import AnyDevices as AnyDevices
from taut.engine.devices import Devices as Devices
from taut.engine.devices import as_devices as as_devices
from taut.engine.devices import tells as tells
from taut.engine.disk_cache import cache_directory as cache_directory
from taut.engine.disk_cache import set_cache_directory as set_cache_directory
from taut.engine.equations import equations_of as equations_of
from taut.engine.forked import refuse_forked as refuse_forked
from taut.engine.fusion import Traced as Traced
from taut.engine.fusion import trace as trace
from taut.engine.interrupts import never_lost as never_lost
from taut.engine.interrupts import raise_lost as raise_lost
from taut.engine.interrupts import remember as remember
from taut.engine.interrupts import take_lost as take_lost
from taut.engine.interrupts import undisturbed as undisturbed
from taut.engine.kept import Kept as Kept
from taut.engine.kept import Same as Same
from taut.engine.map_points import map_draws as map_draws
from taut.engine.map_points import map_in_turn as map_in_turn
from taut.engine.map_points import points_at_once as points_at_once
from taut.engine.memory import bytes_left as bytes_left
from taut.engine.memory import check_memory as check_memory
from taut.engine.operations import operations_of as operations_of
from taut.engine.parallel import cores as cores
from taut.engine.parallel import in_parallel as in_parallel
from taut.engine.parallel import threads_for as threads_for
from taut.engine.programs import Programs as Programs
from taut.engine.timing import Timing as Timing
from taut.engine.timing import accounted as accounted
from taut.engine.timing import building as building
from taut.engine.timing import clock as clock

__all__ = [
    "AXIS",
    "AnyDevices",
    "CallLog",
    "Devices",
    "Kept",
    "Programs",
    "Same",
    "Timing",
    "Traced",
    "accounted",
    "as_devices",
    "building",
    "bytes_left",
    "cache_directory",
    "check_memory",
    "clock",
    "cores",
    "equations_of",
    "in_parallel",
    "map_draws",
    "map_in_turn",
    "never_lost",
    "operations_of",
    "points_at_once",
    "raise_lost",
    "refuse_forked",
    "remember",
    "remember_error",
    "set_cache_directory",
    "single_threaded",
    "take_lost",
    "tells",
    "threads_for",
    "trace",
    "undisturbed",
]
