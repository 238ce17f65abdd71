"""Firmware of the nodes as the gateway sees it: bundles, the town's signature, what is offered."""
