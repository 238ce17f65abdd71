"""Ships what is committed to InfluxDB: every reading, in order, once it is known to be accepted.

It knows no MQTT and no web page; the gateway's service starts one for each target.
"""
