"""What runs on the nodes (`node/`, MicroPython) and what writes it there (`flasher/`)."""
