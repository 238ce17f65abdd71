"""Host side of the firmware: file system image, flashing, verification, labels."""
