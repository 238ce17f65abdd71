"""Looks at dashboards without a Grafana: real answers to their queries, on one page."""
