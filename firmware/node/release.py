"""For whom this firmware is, which version, and what it reads on flash. The bundle's builder reads
these as text: plain values only.

`OUTBOX` and `SETTINGS` are the formats on flash: the oldest that this version reads, and the one
it writes. A version that brings a new one reads and writes its predecessor's too, which `formats`
asks of it until it is confirmed. What the outbox holds belongs to its format: payloads, anchors,
and the numbers of quantities.
"""

FIRMWARE = "1.0.0"
FAMILY = "esp32"
OUTBOX = (2, 2)
SETTINGS = (1, 1)
