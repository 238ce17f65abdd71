"""One chip, one file. A driver is handed its bus and raises only `SensorError`."""
