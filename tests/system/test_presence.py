"""The gateway and presences: it answers, and wakes nodes after an outage of its own."""

import json

import paho.mqtt.client as mqtt

from tests.gateway import Gateway
from tests.servers import Server, eventually, running

NODES = [f"3c71bf0000{n:02x}" for n in range(12)]


async def test_retained_presences_are_answered_after_a_start_of_the_gateway(
    mosquitto: Server, tmp_path
):
    """A node that had backed off hears of the gateway without asking again."""
    answers: dict[str, dict] = {}
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: answers.update(
        {message.topic.split("/")[2]: json.loads(message.payload)}
    )
    client.connect("127.0.0.1", mosquitto.port)
    client.subscribe("preau/v1/+/receipts")
    client.loop_start()
    for number, node in enumerate(NODES):
        said = {"online": number > 0, "hello": f"{number:04x}", "log": "aa00aa00"}
        said |= {"first": 1, "next": 1}
        topic = f"preau/v1/{node}/presence"
        client.publish(topic, json.dumps(said), qos=1, retain=True).wait_for_publish(5)
    with running(Gateway(tmp_path / "gateway", mosquitto.port)) as gateway:
        await eventually(lambda: len(answers) == len(NODES) - 1, 20)
        assert NODES[0] not in answers, "one that said goodbye is not answered"
        for number, node in enumerate(NODES[1:], 1):
            assert answers[node]["hello"] == f"{number:04x}"
            assert answers[node]["stored"] == []
            assert answers[node]["now"] > 1_763_800_000
        nodes = (await gateway.get("/api/v1/nodes"))["nodes"]
        assert {n["id"]: n["online"] for n in nodes} == {n: n != NODES[0] for n in NODES}
    client.disconnect()
    client.loop_stop()
