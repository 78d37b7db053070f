"""The MQTT contract: topics and payloads."""
