"""For whom this firmware is, which version, and what it reads on flash. The bundle's builder reads
these as text: plain values only.

`OUTBOX` and `SETTINGS` are the formats on flash: the oldest that this version reads, and the one
it writes. A version that writes a new one reads its predecessor's, and writes it only once
`slots` says that it is no trial any more.
"""

FIRMWARE = "1.0.0"
FAMILY = "esp32"
OUTBOX = (1, 2)
SETTINGS = (1, 1)
