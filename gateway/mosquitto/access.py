"""Who may do what on the broker, as Mosquitto's ACL file. It knows no passwords.

What it does not allow Mosquitto drops, and acknowledges all the same in MQTT 3.1.1.
"""

from collections.abc import Iterable

from ingest.topics import FROM_NODES, TO_NODES, topic_of


def access_list(gateways: Iterable[str]) -> str:
    """The ACL file: nodes under their own id, `gateways` what all nodes say and are told."""
    lines = ["# Written by preau broker config; it is written anew each time."]
    for user in gateways:
        lines += ["", f"user {user}"]
        lines += [f"topic read {topic_of('+', kind)}" for kind in FROM_NODES]
        lines += [f"topic write {topic_of('+', kind)}" for kind in TO_NODES]
        # To clear what is retained of a node that is gone. So it may say of a node that it is there
        # or not, and never what it measures.
        lines += [f"topic write {topic_of('+', 'presence')}"]
    # %u is the user name. A pattern holds for every user, but only a node's name is in a topic.
    lines += ["", "# A node: its user name is its id."]
    lines += [f"pattern write {topic_of('%u', kind)}" for kind in FROM_NODES]
    lines += [f"pattern read {topic_of('%u', kind)}" for kind in TO_NODES]
    return "\n".join(lines) + "\n"
