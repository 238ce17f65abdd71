"""Which pack to send next: at most 32 without receipt, repeated until receipted.

What gets no receipt in 60 s is sent again, backing off to an hour; a new session starts again
at once. A pack that was sent 20 times while later ones were receipted is rejected, so that one
pack the gateway can't read never stops the others. It must not know sockets or topics; time is
an argument, in seconds of any clock that does not run backwards.
"""

from micropython import const

_IN_FLIGHT_MAX = const(32)
_WAIT_FIRST_S = const(60)
_WAIT_MAX_S = const(3600)
_SENDS_MAX = const(20)


class _Flight:
    def __init__(self, position: int):
        self.position = position
        self.due_s = 0
        self.wait_s = _WAIT_FIRST_S
        self.sent = self.overtaken = False
        self.passed_over = 0


class Sender:
    """`encode(payload, log, seq)` makes the pack of what the outbox holds."""

    def __init__(self, outbox, encode):
        self._outbox = outbox
        self._encode = encode
        self._flights = []

    def new_session(self):
        """Everything without receipt is due now."""
        for flight in self._flights:
            flight.due_s = 0
            flight.wait_s = _WAIT_FIRST_S

    def next(self, now_s: int):
        """The next pack to publish as bytes, then taken as sent; None when nothing is due."""
        while True:
            flight = self._due(now_s)
            if flight is None:
                return None
            record = self._outbox.read(flight.position)
            if record is None:
                self._flights.remove(flight)
                if self._outbox.open.get(flight.position):
                    self._outbox.lose(flight.position)
                continue
            pack = self._encode(*record)
            if flight.passed_over >= _SENDS_MAX:
                self._flights.remove(flight)
                self._outbox.reject(flight.position, pack)
                continue
            self._sent(flight, now_s)
            return pack

    def _due(self, now_s: int):
        for flight in self._flights:
            if flight.due_s <= now_s:
                return flight
        if len(self._flights) >= _IN_FLIGHT_MAX:
            return None
        position = self._outbox.fetch()
        if position is None:
            return None
        flight = _Flight(position)
        self._flights.append(flight)
        return flight

    def _sent(self, flight: _Flight, now_s: int):
        flight.due_s = now_s + flight.wait_s
        flight.wait_s = min(flight.wait_s * 2, _WAIT_MAX_S)
        flight.sent = True
        flight.overtaken = False

    def receipt(self, log, ranges) -> int:
        """Settles what a receipt names (log as in JSON, inclusive ranges); how many that were."""
        settled = []
        for flight in self._flights:
            number = self._outbox.open.get(flight.position)
            if number and "{:08x}".format(number[0]) == log and _within(number[1], ranges):
                settled.append(flight)
        for flight in settled:
            self._flights.remove(flight)
            self._outbox.settle(flight.position)
        if settled:
            self._pass_over(max(flight.position for flight in settled))
            self._outbox.save()
        return len(settled)

    def _pass_over(self, position: int):
        # Once a sending: an outage of the gateway must not count against what it never saw.
        for flight in self._flights:
            if flight.sent and not flight.overtaken and flight.position < position:
                flight.overtaken = True
                flight.passed_over += 1


def _within(seq: int, ranges) -> bool:
    for first, last in ranges:
        if first <= seq <= last:
            return True
    return False
