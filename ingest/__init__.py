"""The data path: contract, quality, local store. It knows no MQTT client and no web."""
