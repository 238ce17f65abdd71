"""What a sensor can ask of the air around it, whatever plays that air.

The seam between physics and nodes: it knows neither.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from simulators.seeds import Floats


@dataclass(frozen=True, slots=True)
class RoomState:
    """The air of a room at one instant."""

    temperature_c: float
    humidity_percent: float
    co2_ppm: float


@dataclass(frozen=True, slots=True)
class AirCourse:
    """The air of a room at many instants: one value each."""

    temperature_c: Floats
    humidity_percent: Floats
    co2_ppm: Floats


class RoomSource(Protocol):
    """Anything that tells the air of a room at a Unix time, the same each time it is asked."""

    def state_at(self, unix_s: float) -> RoomState:
        """The air at `unix_s`."""
        ...


@runtime_checkable
class CourseSource(Protocol):
    """A source that tells many instants at once, faster than one by one."""

    def course_at(self, unix_s: Floats) -> AirCourse:
        """The air at each of `unix_s`."""
        ...


def course_of(room: RoomSource, unix_s: Floats) -> AirCourse:
    """The air of any source at many instants."""
    if isinstance(room, CourseSource):
        return room.course_at(unix_s)
    states = [room.state_at(float(at_s)) for at_s in unix_s]
    return AirCourse(
        np.array([state.temperature_c for state in states]),
        np.array([state.humidity_percent for state in states]),
        np.array([state.co2_ppm for state in states]),
    )
