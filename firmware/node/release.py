"""For whom this firmware is, and what it reads on flash; its version is `FIRMWARE` in `settings`.
The bundle's builder reads both as text: plain values only.

`OUTBOX` and `SETTINGS` are the formats on flash: the oldest that this version reads, and the one
it writes. A version that writes a new one reads its predecessor's, and writes it only once
`slots` says that it is no trial any more.
"""

FAMILY = "esp32"
OUTBOX = (1, 1)
SETTINGS = (1, 1)
