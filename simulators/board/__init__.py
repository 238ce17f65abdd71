"""The virtual ESP32 board: real firmware in real MicroPython, chips that answer by datasheet."""
