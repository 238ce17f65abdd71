"""The commands `preau dashboards …`."""
