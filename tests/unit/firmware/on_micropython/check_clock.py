import json
import os

import clock as clock_module
import pack
import rtc_start
from clock import Anchors, Clock
from outbox import Outbox
from senml import encode

UNIX = 1_763_800_000
_READING = pack.encode_reading(0, 2000)


class Time:
    """Seconds since power-on; ticks wrap after the chip's 2**30 ms."""

    def __init__(self, seconds=100, ticks=0):
        self.seconds = seconds
        self.ticks = ticks

    def time(self):
        return self.seconds

    def ticks_ms(self):
        return (self.ticks + self.seconds * 1000) % (1 << 30)

    def ticks_diff(self, end, start):
        half = 1 << 29
        return (end - start + half) % (1 << 30) - half


class Memory:
    """RTC memory: lasts as long as the power."""

    def __init__(self):
        self.data = b""

    def __call__(self, data=None):
        if data is None:
            return self.data
        self.data = bytes(data)


class Segments:
    oldest = newest = 1


_drawn = [0]


def _draw():
    _drawn[0] += 1
    return _drawn[0]


def _started(time, memory, sleeps=False):
    clock_module.time = time
    return Clock(memory, Anchors("anchors", Segments), _draw, None, sleeps)


def a_node_without_the_time_stamps_no_time():
    clock = _started(Time(100), Memory())
    assert not clock.known and clock.now() is None
    assert pack.decode_head(clock.stamp())[:3] == (100, 0, clock.epoch)


def an_answer_within_ten_seconds_gives_the_time():
    time = Time(100)
    clock = _started(time, Memory())
    clock.presence_sent("9f31")
    time.seconds += 10
    assert clock.answer("9f31", UNIX)
    assert clock.now() == UNIX
    time.seconds += 60
    assert clock.now() == UNIX + 60
    assert pack.decode_head(clock.stamp())[:3] == (UNIX + 60, 0, None)


def an_answer_after_more_than_ten_seconds_does_not():
    time = Time(100)
    clock = _started(time, Memory())
    clock.presence_sent("9f31")
    time.seconds += 11
    assert not clock.answer("9f31", UNIX) and not clock.known


def an_answer_to_another_session_does_not():
    clock = _started(Time(100), Memory())
    assert not clock.answer(None, UNIX)
    clock.presence_sent("9f31")
    assert not clock.answer("9f32", UNIX) and not clock.known


def ten_seconds_are_measured_across_the_wrap_of_ticks():
    time = Time(0, ticks=(1 << 30) - 5000)
    clock = _started(time, Memory())
    clock.presence_sent("9f31")
    time.seconds = 9
    assert clock.answer("9f31", UNIX)


def what_is_no_time_is_refused():
    clock = _started(Time(100), Memory())
    for now in (None, True, 0, -1, 1.7638e9, "1763800000", 1_500_000_000, 1 << 40):
        clock.presence_sent("9f31")
        assert not clock.answer("9f31", now) and not clock.known, now


def waiting_readings_get_the_time_they_were_taken_at():
    time = Time(100)
    clock = _started(time, Memory())
    seconds, _, epoch, _ = pack.decode_head(clock.stamp())
    time.seconds = 400
    assert clock.set(UNIX)
    assert clock.anchor(epoch, seconds) == (UNIX - 300, 0)


def a_time_once_given_never_changes():
    time = Time(100)
    memory = Memory()
    clock = _started(time, memory)
    epoch = clock.epoch
    clock.set(UNIX)
    given = clock.anchor(epoch, 40)
    clock.set(UNIX + 500)
    assert clock.now() == UNIX + 500
    assert clock.anchor(epoch, 40) == given == (UNIX - 60, 0)
    assert _started(time, memory).anchor(epoch, 40) == given
    assert _started(Time(3), Memory()).anchor(epoch, 40) == given


def a_reset_keeps_the_time():
    time = Time(100)
    memory = Memory()
    clock = _started(time, memory)
    clock.set(UNIX)
    time.seconds = 150
    again = _started(time, memory)
    assert again.epoch == clock.epoch and again.now() == UNIX + 50


def a_loss_of_power_loses_the_time_and_begins_an_epoch():
    clock = _started(Time(100), Memory())
    never = clock.epoch
    again = _started(Time(2), Memory())
    assert again.epoch != never and not again.known
    again.set(UNIX)
    assert again.anchor(never, 50) is None


def an_rtc_that_went_back_or_was_set_begins_an_epoch():
    for seconds in (50, 800_000_000):
        memory = Memory()
        clock = _started(Time(100), memory)
        clock.set(UNIX)
        again = _started(Time(seconds), memory)
        assert again.epoch != clock.epoch and not again.known, seconds


def damaged_rtc_memory_is_a_loss_of_power():
    memory = Memory()
    clock = _started(Time(100), memory)
    clock.set(UNIX)
    memory.data = memory.data[:9] + b"\x55" + memory.data[10:]
    again = _started(Time(101), memory)
    assert again.epoch != clock.epoch and not again.known


def one_second_of_difference_is_no_news():
    clock = _started(Time(100), Memory())
    clock.set(UNIX)
    clock.set(UNIX + 1)
    assert clock.now() == UNIX
    clock.set(UNIX + 2)
    assert clock.now() == UNIX + 2


def anchors_go_when_their_packs_have_left():
    Segments.oldest = Segments.newest = 1
    epochs = []
    for life in range(50):
        clock = _started(Time(life), Memory())
        epochs.append(clock.epoch)
        clock.set(UNIX + life)
        Segments.newest = life + 1
        Segments.oldest = max(1, life - 3)
    assert clock.anchor(epochs[0], 0) is None
    assert clock.anchor(epochs[-1], 0) is not None and clock.anchor(epochs[-3], 0) is not None
    assert os.stat("anchors")[6] < 10 * 22
    Segments.oldest = Segments.newest = 1


def an_anchor_file_that_is_lost_is_written_again_while_power_lasts():
    clock = _started(Time(100), Memory())
    clock.set(UNIX)
    given = clock.anchor(clock.epoch, 30)
    os.remove("anchors")
    assert clock.anchor(clock.epoch, 30) == given == (UNIX - 70, 0)


# -- set back and forth ----------------------------------------------------------------------------


def _dates(clock, heads):
    """Each head as it is sent: (seconds, milliseconds)."""
    dates = []
    buffer = bytearray(200)
    for head in heads:
        size = encode(buffer, head + _READING, "3c71bf4a2b10", 1, 1, 1, clock.anchor)
        first = json.loads(str(buffer[:size], "ascii"))[0]
        assert "btu_" not in first
        dates.append((first["bt"], int(first.get("t", 0) * 1000 + 0.5)))
    return dates


def a_clock_set_back_and_forth_dates_no_two_readings_alike():
    time = Time(100)
    memory = Memory()
    clock = _started(time, memory)
    heads = []
    for step_s in (0, -300, 0, 3600, -3600, -3600, 7200, -1, -2):
        clock.set(UNIX + time.seconds + step_s)
        for _ in range(20):
            heads.append(clock.stamp())
            time.seconds += 30
        # What is past stays as it was, through a reset too.
        clock = _started(time, memory)
    dates = _dates(clock, heads)
    assert len(set(dates)) == len(dates) == 180
    assert all(0 <= ms < 1000 for _, ms in dates)


def two_readings_in_one_second_are_told_apart():
    clock = _started(Time(100), Memory())
    clock.set(UNIX)
    heads = [clock.stamp() for _ in range(5)]
    assert len(set(_dates(clock, heads))) == 5


def two_readings_in_one_second_are_told_apart_before_the_time_is_known():
    """At an interval of a second one comes late, and the next falls into the same RTC second: with
    equal values it would be taken for a repeat and vanish.
    """
    for sleeps in (False, True):
        time = Time(100)
        memory = Memory()
        clock = _started(time, memory, sleeps)
        heads = [clock.stamp() for _ in range(3)]
        # A reset within that second.
        clock = _started(time, memory, sleeps)
        heads.append(clock.stamp())
        clock.set(UNIX)
        heads.append(clock.stamp())
        time.seconds += 1
        heads.append(clock.stamp())
        clock.set(UNIX + 1)
        dates = _dates(clock, heads)
        assert len(set(dates)) == 6, dates
        assert [seconds for seconds, _ in dates] == [UNIX] * 5 + [UNIX + 1]
        assert dates[0] == (UNIX, 0) and dates[5] == (UNIX + 1, 0), dates


def one_ntp_answer_that_is_wrong_is_overruled_by_the_gateway():
    time = Time(100)
    clock = _started(time, Memory())
    assert clock.set(UNIX + 3600)
    before = clock.stamp()
    time.seconds += 60
    clock.presence_sent("9f31")
    assert clock.answer("9f31", UNIX + 60)
    assert clock.now() == UNIX + 60
    # What was given a time keeps it; what follows has the right one.
    assert _dates(clock, [before, clock.stamp()]) == [(UNIX + 3600, 1), (UNIX + 60, 2)]


def no_reading_gets_the_time_of_one_before_a_loss_of_power():
    """The answer with the time is under way for a second or two, power is back at once, and what
    was dated before is forgotten with RTC memory: it is in the last pack on flash.
    """
    box = Outbox("packs", 16 * 4096, _draw)

    def powered():
        clock_module.time = Time(0)
        anchors = Anchors("packs/anchors", box)
        # Epochs are far apart, as random ones are: they tell the milliseconds.
        return Clock(Memory(), anchors, lambda: 100 * _draw(), lambda: (0, rtc_start.begin(box)[1]))

    def taken(clock, seconds):
        heads = []
        for _ in range(seconds):
            heads.append(clock.stamp())
            box.take(heads[-1] + _READING)
            clock_module.time.seconds += 1
        return heads

    clock = powered()
    assert clock.set(UNIX)
    heads = taken(clock, 5)
    assert rtc_start.begin(box)[1] == UNIX + 4
    for late_s in (0, 3, 3, 2):
        clock = powered()
        unknown = taken(clock, 2)
        assert clock.set(UNIX + 5 - late_s)
        heads += unknown + taken(clock, 3)
    dates = _dates(clock, heads)
    assert len(set(dates)) == len(heads) == 25, dates


# -- a node that sleeps ----------------------------------------------------------------------------


def readings_between_two_synchronisations_are_dated_by_both():
    """Its RTC is 5 % fast: over an hour, three minutes."""
    time = Time(100)
    memory = Memory()
    clock = _started(time, memory, sleeps=True)
    clock.set(UNIX)
    heads = []
    for _ in range(6):
        time.seconds += 630
        clock = _started(time, memory, sleeps=True)
        heads.append(clock.stamp())
        assert not clock.ready, "its time is not fixed yet"
    clock.set(UNIX + 3600)
    assert clock.ready
    assert _dates(clock, heads) == [(UNIX + 600 * n, 0) for n in range(1, 7)]
    assert -52_000 < clock.drift_ppm < -46_000, clock.drift_ppm
    # Whatever comes after changes none of them.
    time.seconds += 4000
    later = _started(time, memory, sleeps=True)
    later.set(UNIX + 9000)
    assert _dates(later, heads) == [(UNIX + 600 * n, 0) for n in range(1, 7)]


def a_clock_that_was_set_between_two_synchronisations_is_no_drift():
    time = Time(100)
    memory = Memory()
    clock = _started(time, memory, sleeps=True)
    clock.set(UNIX + 7200)
    heads = []
    for _ in range(6):
        time.seconds += 600
        heads.append(clock.stamp())
    # The gateway's clock was two hours ahead, and is right now: an hour has passed.
    clock = _started(time, memory, sleeps=True)
    clock.set(UNIX + 3600)
    for _ in range(18):
        time.seconds += 600
        heads.append(clock.stamp())
    clock = _started(time, memory, sleeps=True)
    clock.set(UNIX + 3600 + 10_800)
    dates = _dates(clock, heads)
    assert dates[:6] == [(UNIX + 7200 + 600 * n, 0) for n in range(1, 7)]
    assert [seconds for seconds, _ in dates[6:]] == [UNIX + 3600 + 600 * n for n in range(1, 19)]
    assert len(set(dates)) == len(dates), "an hour has been twice"


def anchors_of_a_node_that_sleeps_do_not_pile_up():
    time = Time(100)
    memory = Memory()
    Segments.oldest = Segments.newest = 1
    for hour in range(200):
        time.seconds += 3600
        clock = _started(time, memory, sleeps=True)
        head = clock.stamp()
        clock.set(UNIX + 3600 * hour)
        assert _dates(clock, [head]) == [(UNIX + 3600 * hour, 0)], hour
        if hour % 10 == 9:
            Segments.newest += 1
            Segments.oldest = Segments.newest - 1
    assert os.stat("anchors")[6] < 25 * 22, os.stat("anchors")[6]
    Segments.oldest = Segments.newest = 1


# -- what certificates are judged by ---------------------------------------------------------------


def the_rtc_starts_no_earlier_than_the_last_known_time_which_dates_nothing():
    time = Time(100)
    begun = [(900_000_000, UNIX)]

    def begin():
        time.seconds = begun[0][0]
        return begun[0]

    clock_module.time = time
    clock = Clock(Memory(), Anchors("anchors", Segments), _draw, begin)
    assert not clock.known and clock.now() is None
    assert pack.decode_head(clock.stamp())[:3] == (0, 0, clock.epoch)
    time.seconds += 50
    clock.set(UNIX + 500)
    assert clock.now() == UNIX + 500 and clock.anchor(clock.epoch, 0) == (UNIX + 450, 0)
