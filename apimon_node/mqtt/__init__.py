"""The broker: the link to it, and what node and poller share as MQTT participants."""
