"""What the compose stack is given for its simulated town: the estate of its nodes."""

from simulators.town import DEMO_ESTATE


def demo() -> dict[str, bytes]:
    """Content by path: `estate.toml`."""
    return {"estate.toml": DEMO_ESTATE.read_bytes()}
