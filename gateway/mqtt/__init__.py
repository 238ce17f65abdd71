"""The gateway's side of MQTT: a session that acknowledges only what was committed, and a broker.

Nothing here knows what a pack is: topics and payloads are passed on as they came.
"""
