"""Printed things that belong to a node: its label, and the slip with its set-up code."""
