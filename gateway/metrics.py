"""What the service counts, for `/metrics` (Prometheus). It only counts; nothing decides by it."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The counters of one service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.packs = self._counter("packs", "Packs committed to the store")
        self.readings = self._counter("readings", "Readings committed to the journal")
        self.repeats = self._counter("repeats", "Readings received again, not stored twice")
        self.dead_letters = Counter(
            "preau_dead_letters", "Dead letters kept", ["reason"], registry=self.registry
        )
        self.receipts = self._counter("receipts", "Receipts published")
        self.presences = self._counter("presences", "Presences received")
        self.commit_retries = self._counter("commit_retries", "Commits that had to be tried again")
        self.commit_seconds = Histogram(
            "preau_commit_seconds",
            "Time from a batch to its fsync",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
            registry=self.registry,
        )

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show what `value` returns at each look."""
        Gauge(f"preau_{name}", text, registry=self.registry).set_function(value)

    def exposition(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"preau_{name}", text, registry=self.registry)
