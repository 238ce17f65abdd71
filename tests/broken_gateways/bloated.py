"""The gateway of a scenario that takes 300 MiB for a moment as it starts, and gives them back.

`python -m tests.broken_gateways.bloated SETTINGS CLOCK`, as `simulators.scenario.gateway_process`.
"""

from simulators.scenario import gateway_process


def balloon() -> None:
    # Filled, so that the pages are there; gone before anything listens that could be looked at.
    assert len(b"\x01" * (300 * 1024 * 1024))


if __name__ == "__main__":
    balloon()
    gateway_process.main()
