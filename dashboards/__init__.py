"""Grafana as code: queries, panels, dashboards, alert rules, and what provisions them."""
