"""The same questions to the local store and to InfluxDB, which answer alike."""
