"""`machine.Pin`: apart from the rest, because a program may hold one for long."""

import sys

import wire


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, id, mode=-1, pull=-1, *, value=None):
        # 6 to 11 are the flash's; 20, 24 and 28 to 31 are not led out.
        if id not in range(40) or 6 <= id <= 11 or id in (20, 24) or 28 <= id <= 31:
            raise ValueError("invalid pin")
        self.id = id
        # Of a pin that interrupts: its level as last told, since the wire may just be in use.
        self.told = None
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None):
        if self.id >= 34:
            if mode in (self.OUT, self.OPEN_DRAIN):
                raise ValueError("pin can only be input")
            if pull != -1:
                raise ValueError("pins 34~39 do not have pull-up or pull-down circuitry")
        if mode != -1:
            wire.ask("M", self.id)
        if pull != -1:
            wire.ask("G", self.id, bytes((pull == self.PULL_UP,)))
        if value is not None:
            self.value(value)

    def value(self, value=None):
        if value is None:
            if self.told:
                return self.told[0]
            return wire.ask("p", self.id)[0]
        wire.ask("P", self.id, bytes((1 if value else 0,)))

    def __repr__(self):
        # How the host knows it among the arguments.
        return "{%d}" % self.id

    def irq(self, handler=None, trigger=IRQ_FALLING | IRQ_RISING):
        # This pin is there to stay: the next one shall not bring the class again.
        sys.modules["machine"].Pin = type(self)
        module = __import__("machine_irq")
        del sys.modules["machine_irq"]
        module.listen(self, handler, trigger)
