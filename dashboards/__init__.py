"""Grafana as code. The dashboards themselves come with the forwarder to InfluxDB."""
