"""`machine.Pin`: apart from the rest, because a program may hold one for long."""

import wire


class Pin:
    IN = 1
    OUT = 3

    def __init__(self, id, mode=-1, value=None):
        # 6 to 11 are the flash's; 20, 24 and 28 to 31 are not led out.
        if id not in range(40) or 6 <= id <= 11 or id in (20, 24) or 28 <= id <= 31:
            raise ValueError("invalid pin")
        if mode == self.OUT and id >= 34:
            raise ValueError("pin can only be input")
        self.id = id
        if value is not None:
            self.value(value)

    def value(self, value=None):
        if value is None:
            return wire.ask("p", self.id)[0]
        wire.ask("P", self.id, bytes((1 if value else 0,)))
