"""What a Mosquitto of the town is told: its configuration, its accounts, who may do what.

It connects to no broker.
"""
