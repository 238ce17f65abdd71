"""Scenarios: a town, a period, what goes wrong in it, and what has to hold all the same."""
