"""The heat of many rooms at once: the 5R1C network of ISO 13790:2008, annex C, with neighbours.

Each room has a mass, a surface and an air node, of which only the mass stores heat. All arrays hold
one value a room, in SI units and degrees Celsius. It has no clock, no weather and no people.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from simulators.seeds import Floats

SURFACE_TO_AIR_W_M2K: Final = 3.45
"""h_is of ISO 13790, 7.2.2.2."""
MASS_TO_SURFACE_W_M2K: Final = 9.1
"""h_ms of ISO 13790, 12.2.2."""
SURFACES_OF_FLOOR: Final = 4.5
"""Lambda_at of ISO 13790, 7.2.2.2: all surfaces of a room over its floor."""
AIR_J_M3K: Final = 1200.0


@dataclass(frozen=True, slots=True)
class Network:
    """The conductances (W/K) and heat capacities (J/K) of rooms.

    `between_w_k` is symmetric with a zero diagonal: what the mass of a room exchanges with that of
    its neighbour through the wall they share.
    """

    surface_to_air_w_k: Floats
    mass_to_surface_w_k: Floats
    windows_w_k: Floats
    mass_to_outdoors_w_k: Floats
    capacity_j_k: Floats
    mass_share: Floats
    """A_m / A_t: what of radiated gains falls on the mass (C.2)."""
    pane_share: Floats
    """H_w / (9.1 A_t): what of them falls on the panes and is lost (C.3)."""
    between_w_k: Floats
    into_w_k: Floats
    """What the masses pass on to each other for each degree: the rows sum to zero."""

    @classmethod
    def of(
        cls,
        *,
        floor_m2: Floats,
        opaque_w_k: Floats,
        windows_w_k: Floats,
        capacity_j_m2k: Floats,
        mass_of_floor: Floats,
        between_w_k: Floats | None = None,
    ) -> "Network":
        """The network of rooms by floor area, losses through walls and windows, and heaviness.

        `opaque_w_k` is H_op, of which H_em = 1 / (1/H_op - 1/H_ms) is left between mass and
        outdoors (12.2.2); `mass_of_floor` is A_m over the floor area (table 12: 2.5 for a medium
        room, 3.0 for a heavy one). Raises `ValueError` where a figure is physically impossible.
        """
        mass_to_surface = MASS_TO_SURFACE_W_M2K * mass_of_floor * floor_m2
        for name, figures in (("floor_m2", floor_m2), ("capacity_j_m2k", capacity_j_m2k)):
            if not np.all(figures > 0):
                raise ValueError(f"{name} = {figures.min()!r}: must be more than 0")
        if not np.all((opaque_w_k > 0) & (opaque_w_k < mass_to_surface)):
            raise ValueError("opaque_w_k: must be more than 0 and less than the mass can pass on")
        surfaces = SURFACES_OF_FLOOR * floor_m2
        between = np.zeros((len(floor_m2),) * 2) if between_w_k is None else between_w_k
        return cls(
            surface_to_air_w_k=SURFACE_TO_AIR_W_M2K * surfaces,
            mass_to_surface_w_k=mass_to_surface,
            windows_w_k=windows_w_k,
            mass_to_outdoors_w_k=1 / (1 / opaque_w_k - 1 / mass_to_surface),
            capacity_j_k=capacity_j_m2k * floor_m2,
            mass_share=mass_of_floor * floor_m2 / surfaces,
            pane_share=windows_w_k / (MASS_TO_SURFACE_W_M2K * surfaces),
            between_w_k=between,
            into_w_k=between - np.diag(between.sum(axis=1)),
        )

    def loss_w_k(self, ventilation_w_k: Floats) -> Floats:
        """What the mass of a room loses for each degree: all ways outdoors together."""
        _, _, through = _series(self, ventilation_w_k)
        total: Floats = through + self.mass_to_outdoors_w_k
        return total

    def time_constant_s(self, ventilation_w_k: Floats) -> Floats:
        """How long a room without neighbours, gains and heating takes to cool to 1/e."""
        tau: Floats = self.capacity_j_k / self.loss_w_k(ventilation_w_k)
        return tau


class Gains(NamedTuple):
    """Heat set free in rooms, in W: by people and things, and by the sun through the panes."""

    internal_w: Floats
    sun_w: Floats


class HeatStep(NamedTuple):
    """A step of all rooms: its mean air and surface temperature, the mass at its end and on
    average, and the mean heating power.
    """

    air_c: Floats
    surface_c: Floats
    mass_c: Floats
    mean_mass_c: Floats
    heating_w: Floats


class Heating(NamedTuple):
    """What heats rooms during a step: at most `most_w`, in proportion to what is missing to
    `full_below_c + band_k`, and all of it below `full_below_c`. `fixed_w` where a valve is stuck;
    elsewhere it is NaN.
    """

    most_w: Floats
    full_below_c: Floats
    band_k: float
    fixed_w: Floats | None = None


class Paths(NamedTuple):
    """What follows from how rooms are aired and from the length of a step alone.

    `h_1` to `h_3` are (C.6) to (C.8); `by_air` is H_1 / H_ve, written so that a tight room needs no
    division by zero. The last three are what one watt of heating does to the mass at the end of the
    step, to the surface and to the air.
    """

    ventilation_w_k: Floats
    step_s: float
    h_1: Floats
    h_2: Floats
    to_mass: Floats
    by_air: Floats
    kept_w_k: Floats
    needed_w_k: Floats
    mass_k_w: Floats
    surface_k_w: Floats
    air_k_w: Floats


def paths(network: Network, ventilation_w_k: Floats, step_s: float) -> Paths:
    """The ways of heat for a step in which rooms are aired as given."""
    h_is, h_ms = network.surface_to_air_w_k, network.mass_to_surface_w_k
    h_1, h_2, h_3 = _series(network, ventilation_w_k)
    by_air = h_is / (ventilation_w_k + h_is)
    per_step = network.capacity_j_k / step_s
    half_loss = 0.5 * (h_3 + network.mass_to_outdoors_w_k)
    to_mass = h_3 / h_2
    mass_k_w = to_mass * by_air / (per_step + half_loss)
    surface_k_w = (h_ms * 0.5 * mass_k_w + by_air) / (h_ms + h_2)
    return Paths(
        ventilation_w_k=ventilation_w_k,
        step_s=step_s,
        h_1=h_1,
        h_2=h_2,
        to_mass=to_mass,
        by_air=by_air,
        kept_w_k=per_step - half_loss,
        needed_w_k=per_step + half_loss,
        mass_k_w=mass_k_w,
        surface_k_w=surface_k_w,
        air_k_w=(h_is * surface_k_w + 1) / (h_is + ventilation_w_k),
    )


def step(
    network: Network,
    mass_c: Floats,
    *,
    outdoors_c: float,
    ways: Paths,
    gains: Gains,
    heating: Heating,
) -> HeatStep:
    """Move all rooms on by the step of `ways`, after (C.1) to (C.11): Crank and Nicolson.

    The room valve is solved within the step, since the air node answers at once. Neighbours
    exchange heat by their masses at the begin of the step, the same for both.
    """
    h_is, h_ms = network.surface_to_air_w_k, network.mass_to_surface_w_k
    to_air, to_mass, to_surface = shared_out(network, gains)
    into_surface = to_surface + (ways.h_1 + network.windows_w_k) * outdoors_c + ways.by_air * to_air
    into_mass = (
        to_mass
        + network.into_w_k @ mass_c
        + network.mass_to_outdoors_w_k * outdoors_c
        + ways.to_mass * into_surface
    )
    end_c = (mass_c * ways.kept_w_k + into_mass) / ways.needed_w_k
    surface_c = (h_ms * 0.5 * (mass_c + end_c) + into_surface) / (h_ms + ways.h_2)
    air_c = (h_is * surface_c + ways.ventilation_w_k * outdoors_c + to_air) / (
        h_is + ways.ventilation_w_k
    )
    # All three are linear in the heating power.
    heating_w = _valves(heating, air_c, ways.air_k_w)
    end_c = end_c + ways.mass_k_w * heating_w
    return HeatStep(
        air_c + ways.air_k_w * heating_w,
        surface_c + ways.surface_k_w * heating_w,
        end_c,
        0.5 * (mass_c + end_c),
        heating_w,
    )


def shared_out(network: Network, gains: Gains) -> tuple[Floats, Floats, Floats]:
    """Gains by node, air, mass and surface, in W: (C.1) to (C.3).

    What is missing to their sum is radiated straight at the panes and lost.
    """
    half_w = 0.5 * gains.internal_w
    radiated = half_w + gains.sun_w
    to_mass = network.mass_share * radiated
    return half_w, to_mass, radiated - to_mass - network.pane_share * radiated


def outflow_w(
    network: Network,
    moved: HeatStep,
    outdoors_c: float,
    ventilation_w_k: Floats,
    gains: Gains,
) -> Floats:
    """What each room lost to the outdoors during a step, in W, by its temperatures alone."""
    at_panes = network.pane_share * (0.5 * gains.internal_w + gains.sun_w)
    lost: Floats = (
        ventilation_w_k * (moved.air_c - outdoors_c)
        + network.windows_w_k * (moved.surface_c - outdoors_c)
        + network.mass_to_outdoors_w_k * (moved.mean_mass_c - outdoors_c)
        + at_panes
    )
    return lost


def _series(network: Network, ventilation_w_k: Floats) -> tuple[Floats, Floats, Floats]:
    """H_1, H_2 and H_3 of (C.6) to (C.8)."""
    h_is = network.surface_to_air_w_k
    h_1 = ventilation_w_k * h_is / (ventilation_w_k + h_is)
    h_2 = h_1 + network.windows_w_k
    h_3 = h_2 * network.mass_to_surface_w_k / (h_2 + network.mass_to_surface_w_k)
    return h_1, h_2, h_3


def _valves(heating: Heating, air_c: Floats, air_k_w: Floats) -> Floats:
    """The power at which what a proportional valve lets through and what it heats agree."""
    missing_k = heating.full_below_c + heating.band_k - air_c
    wanted = heating.most_w * missing_k / (heating.band_k + heating.most_w * air_k_w)
    power: Floats = np.minimum(np.maximum(wanted, 0.0), heating.most_w)
    if heating.fixed_w is not None:
        power = np.where(np.isnan(heating.fixed_w), power, heating.fixed_w)
    return power
