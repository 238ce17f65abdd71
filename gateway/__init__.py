"""The service: settings, MQTT session, pipeline's surroundings, web and commands."""
