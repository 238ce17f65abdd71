"""Labels as they come out of the printer: a telephone reads the code, and it leads to the room."""

import stat
import struct
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from gateway.labels.setup_code import make_setup_code
from tests.gateway import Gateway
from tests.servers import eventually, free_port, require, running

PREAU = Path(sys.executable).with_name("preau")
NODES = [f"3c71bf4a2b{number:02x}" for number in range(22)]
ESTATE = """\
name = "Trilport"
[[site]]
id = "ferry"
name = "École Jules-Ferry"
[[site.building]]
id = "main"
name = "A"
[[site.building.room]]
id = "cp-a"
name = "CP A"
""" + "".join(
    f'[[node]]\nid = "{node}"\n[[node.placement]]\nroom = "ferry/cp-a"\nsince = 2026-09-01\n'
    for node in NODES
)


@pytest.fixture
def gateway(tmp_path):
    return Gateway(tmp_path, free_port(), estate=ESTATE, embedded=True)


def label(gateway: Gateway, *arguments: str, status: int = 0) -> str:
    """What the command prints, standard error included."""
    settings = gateway.data.parent / "preau.toml"
    command = [str(PREAU), "node", "label", *arguments, "--settings", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def scanned(picture: Path) -> list[str]:
    """The codes that a scanner finds in a picture."""
    program = require("zbarimg", "zbar-tools")
    done = subprocess.run(
        [program, "--raw", "--quiet", "-Sdisable", "-Sqrcode.enable", str(picture)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return sorted(done.stdout.split())


async def test_every_code_on_the_printed_sheets_leads_to_its_room(gateway, tmp_path):
    out = tmp_path / "labels.png"
    said = label(gateway, "--all", "--url", gateway.url, "--out", str(out))
    second = tmp_path / "labels-2.png"
    assert said == f"written: {out}\nwritten: {second}\n"

    addresses = scanned(out) + scanned(second)
    assert addresses == [f"{gateway.url}/n/{node}" for node in NODES]
    with running(gateway):
        await eventually(gateway.is_well)
        async with aiohttp.ClientSession() as client, client.get(addresses[0]) as answer:
            assert answer.status == 200
            assert "CP A" in await answer.text()
            assert answer.url.path == "/salles/ferry/cp-a"


def test_a_picture_prints_in_the_size_of_the_paper(gateway, tmp_path):
    out = tmp_path / "one.png"
    label(gateway, NODES[0], "--url", "https://preau.trilport.fr/", "--out", str(out))

    content = out.read_bytes()
    assert struct.unpack(">II", content[16:24]) == (2480, 3508)
    at = content.index(b"pHYs")
    assert struct.unpack(">IIB", content[at + 4 : at + 13]) == (11811, 11811, 1)
    assert scanned(out) == [f"https://preau.trilport.fr/n/{NODES[0]}"]


def test_slips_go_from_a_private_file_into_a_private_file_and_over_no_terminal(gateway, tmp_path):
    code = make_setup_code(gateway.data / "credentials", NODES[0])
    out = tmp_path / "slips.svg"
    out.write_text("of an earlier run")
    out.chmod(0o644)

    said = label(gateway, NODES[0], "--slips", "--out", str(out))
    assert code not in said
    assert code in out.read_text()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "has no set-up code" in label(gateway, NODES[1], "--slips", "--out", str(out), status=2)


def test_a_label_holds_no_set_up_code(gateway, tmp_path):
    code = make_setup_code(gateway.data / "credentials", NODES[0])
    out = tmp_path / "label.svg"
    label(gateway, NODES[0], "--url", "https://preau.trilport.fr", "--out", str(out))
    text = out.read_text()
    assert code not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--all", "--out", "x.svg"], "no address for the code: give --url"),
        (["--all", "--out", "x.pdf", "--url", "https://x.fr"], "must end in .svg or .png"),
        (["--out", "x.svg", "--url", "https://x.fr"], "name one or more NODEs, or give --all"),
        (["--all", "--out", "x.svg", "--url", "x.fr"], "must look like https://"),
        (["--all", "--out", "/nowhere/x.svg", "--url", "https://x.fr"], "can't be written"),
    ],
)
def test_what_can_not_be_printed_costs_one_line(gateway, arguments, said):
    told = label(gateway, *arguments, status=2)
    assert said in told
    assert told.count("\n") == 1
    assert "Traceback" not in told


def test_the_address_of_the_settings_is_taken(gateway, tmp_path):
    settings = gateway.data.parent / "preau.toml"
    text = settings.read_text()
    settings.write_text(text.replace("[http]", '[http]\npublic_url = "https://preau.fr/ecoles/"'))
    out = tmp_path / "one.png"
    label(gateway, NODES[0], "--out", str(out))
    assert scanned(out) == [f"https://preau.fr/ecoles/n/{NODES[0]}"]
