import os

import clock as clock_module
import pack
from clock import Anchors, Clock

UNIX = 1_763_800_000


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


def _started(time, memory):
    clock_module.time = time
    return Clock(memory, Anchors("anchors", Segments), _draw)


def a_node_without_the_time_stamps_no_time():
    clock = _started(Time(100), Memory())
    assert not clock.known and clock.now() is None
    assert pack.decode_head(clock.stamp())[:2] == (100, clock.epoch)


def an_answer_within_ten_seconds_gives_the_time():
    time = Time(100)
    clock = _started(time, Memory())
    clock.presence_sent("9f31")
    time.seconds += 10
    assert clock.answer("9f31", UNIX)
    assert clock.now() == UNIX
    time.seconds += 60
    assert clock.now() == UNIX + 60
    assert pack.decode_head(clock.stamp())[:2] == (UNIX + 60, None)


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
    seconds, epoch, _ = pack.decode_head(clock.stamp())
    time.seconds = 400
    assert clock.set(UNIX)
    assert seconds + clock.anchor(epoch) == UNIX - 300


def a_time_once_given_never_changes():
    time = Time(100)
    memory = Memory()
    clock = _started(time, memory)
    epoch = clock.epoch
    clock.set(UNIX)
    offset = clock.anchor(epoch)
    clock.set(UNIX + 500)
    assert clock.now() == UNIX + 500
    assert clock.anchor(epoch) == offset
    assert _started(time, memory).anchor(epoch) == offset
    assert _started(Time(3), Memory()).anchor(epoch) == offset


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
    assert again.anchor(never) is None


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
    assert clock.anchor(epochs[0]) is None
    assert clock.anchor(epochs[-1]) is not None and clock.anchor(epochs[-3]) is not None
    assert os.stat("anchors")[6] < 10 * 16
    Segments.oldest = Segments.newest = 1


def an_anchor_file_that_is_lost_is_written_again_while_power_lasts():
    clock = _started(Time(100), Memory())
    clock.set(UNIX)
    offset = clock.anchor(clock.epoch)
    os.remove("anchors")
    assert clock.anchor(clock.epoch) == offset
