"""The stack's `.env`: what compose fills in. There is no secret in it."""

from pathlib import Path
from typing import Final

from gateway.stack.parts import stack_file
from gateway.stack.plan import StackPlan
from ingest.errors import ConfigurationError

ENVIRONMENT_FILE: Final = ".env"
_DEMO: Final = """
# La commune simulée (compose.demo.yaml) : combien de jours passés ses nœuds envoient au démarrage.
PREAU_DEMO_DAYS=7
"""
# Grafana does not start without an address. The demo has no server to send mail with.
_NOBODY: Final = "nobody@example.invalid"


def environment(plan: StackPlan, owner: tuple[int, int], sources: Path | None) -> str:
    """The text of `.env`. Where we run from no sources, compose will ask for some."""
    names = ("compose.yaml", "compose.demo.yaml") if plan.demo else ("compose.yaml",)
    return stack_file("env.template").format(
        compose_files=":".join(names),
        sources="" if sources is None else _quoted(sources),
        uid=owner[0],
        gid=owner[1],
        # Its nodes are in a container; nobody has to come in from outside.
        mqtt_address="127.0.0.1" if plan.demo else "0.0.0.0",
        mail=plan.mail or (_NOBODY if plan.demo else ""),
        demo=_DEMO if plan.demo else "",
    )


def _quoted(path: Path) -> str:
    text = str(path)
    if "'" in text or not text.isprintable():
        raise ConfigurationError(
            f"the sources' folder {text!r} can't be written into .env; move it"
        )
    return f"'{text}'"
