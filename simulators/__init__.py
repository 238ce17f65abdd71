"""Simulated towns, rooms, nodes and boards, for the demo, the tests and CI."""
