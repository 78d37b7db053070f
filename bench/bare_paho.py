"""The peer: a subscriber as the README of paho has it, that does nothing. Arguments: port, topic filter, [tell].

It writes the monotonic time (ns) at which it was subscribed; with `tell`, of each message too.
"""

import sys
import threading
import time
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

HOST = "127.0.0.1"


def tell(*_: Any) -> None:
    print(time.monotonic_ns(), flush=True)


def ignore(*_: Any) -> None:
    pass


def subscribe(*_: Any) -> None:
    client.subscribe(sys.argv[2], 1)


client = mqtt.Client(CallbackAPIVersion.VERSION2)
client.on_connect = subscribe
client.on_subscribe = tell
client.on_message = tell if sys.argv[3:] else ignore
client.connect(HOST, int(sys.argv[1]))
client.loop_start()
threading.Event().wait()
