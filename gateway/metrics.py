"""What the service counts, for `/metrics` (Prometheus). It only counts; nothing decides by it."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The counters of one service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._labelled: dict[str, Gauge] = {}
        self.packs = self._counter("packs", "Packs committed to the store")
        self.readings = self._counter("readings", "Readings committed to the journal")
        self.repeats = self._counter("repeats", "Readings received again, not stored twice")
        self.dead_letters = Counter(
            "preau_dead_letters", "Dead letters kept", ["reason"], registry=self.registry
        )
        self.receipts = self._counter("receipts", "Receipts published")
        self.presences = self._counter("presences", "Presences received")
        self.not_ours = self._counter("not_ours", "Messages of nodes that other gateways serve")
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

    def labelled_gauge(
        self, name: str, text: str, labels: Mapping[str, str], value: Callable[[], float]
    ) -> None:
        """Show what `value` returns, as the one of several that has these labels."""
        gauge = self._labelled.get(name)
        if gauge is None:
            gauge = Gauge(f"preau_{name}", text, list(labels), registry=self.registry)
            self._labelled[name] = gauge
        gauge.labels(**labels).set_function(value)

    def value(self, name: str) -> float:
        """What `preau_<name>` shows now; 0 for one that has not counted yet."""
        return self.registry.get_sample_value(f"preau_{name}") or 0.0

    def sum_of(self, sample: str) -> float:
        """The sum over all labels of a sample."""
        return sum(
            one.value
            for family in self.registry.collect()
            for one in family.samples
            if one.name == sample
        )

    def exposition(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"preau_{name}", text, registry=self.registry)
