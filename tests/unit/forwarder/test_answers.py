"""What becomes of a batch for every answer that an InfluxDB, or what is in its place, can give."""

import asyncio
import json

import pytest

from gateway.forwarding import client_of
from ingest.forwarder.errors import retry_after_s
from ingest.forwarder.shipping import Shipping
from ingest.forwarder.target import Target
from tests.http_peer import Answer, Request, http_peer

TOKEN = "s3cret-token"  # noqa: S105 - of nobody
LINES = [
    b"room_air,node=a temperature=%d.5,temperature_quality=0i,co2=800.0,co2_quality=0i %d" % (n, n)
    for n in range(1, 9)
]


@pytest.fixture(params=["v1", "v2"])
def api(request: pytest.FixtureRequest) -> str:
    return request.param


def target(api: str, url: str, **more) -> Target:
    return Target("town", api, url, "preau", token=TOKEN, timeout_s=0.4, **more)


async def ship(api: str, peer, lines=LINES, within_s: float = 15):
    """Ship, patiently; what was refused, and the state."""
    problems = []
    async with client_of(target(api, peer.url)) as client:
        shipping = Shipping(client, setup_pause_s=0.1, first_pause_s=0.02)
        shipping.changed = lambda: problems.append(shipping.state.problem)
        async with asyncio.timeout(within_s):
            refused = await shipping.ship(lines)
    return refused, shipping.state, problems


def words(text: str) -> str:
    return json.dumps({"error": text, "code": "x", "message": text})


AWAY = {
    "429": Answer(429, words("slow down"), {"Retry-After": "0"}),
    "500": Answer(500, words("timeout")),
    "503": Answer(503, words("unavailable")),
    "hang": Answer(hang=True),
    "closed in the middle": Answer(200, "x" * 200, cut=True),
}
OPERATOR = {
    "401": Answer(401, words("unauthorized")),
    "403": Answer(403, words("forbidden")),
    "404": Answer(404, words("not found")),
    "redirect": Answer(302, "", {"Location": "/elsewhere"}),
    "moved for good": Answer(308, "", {"Location": "/elsewhere"}),
    # Go's server, where a TLS port is spoken to without; nginx has a page for it.
    "400 of no InfluxDB": Answer(400, "Client sent an HTTP request to an HTTPS server.\n"),
    "422 of a proxy": Answer(422, "<html>Unprocessable</html>"),
    "a page that says 200": Answer(200, "<html>Please log in</html>"),
}


@pytest.mark.parametrize("answer", AWAY.values(), ids=AWAY.keys())
async def test_what_asks_for_patience_is_sent_again(api: str, answer: Answer):
    async with http_peer(answer, answer) as peer:
        refused, state, problems = await ship(api, peer)
    assert refused == []
    assert peer.accepted == LINES
    assert state.retries == 2
    assert problems[-1] is None
    assert problems[0]


@pytest.mark.parametrize("answer", OPERATOR.values(), ids=OPERATOR.keys())
async def test_what_needs_an_operator_is_told_and_waits(api: str, answer: Answer):
    """Until somebody has mended it; nothing is refused, nothing thrown away."""
    mended = asyncio.Event()

    def rule(request: Request) -> Answer | None:
        # Whoever follows a redirection with a GET finds a friendly page.
        is_followed = request.path.startswith("/elsewhere")
        return None if mended.is_set() or is_followed else answer

    async with http_peer(rule=rule) as peer, client_of(target(api, peer.url)) as client:
        shipping = Shipping(client, setup_pause_s=0.05, first_pause_s=0.02)
        told = asyncio.Event()
        shipping.changed = told.set
        task = asyncio.create_task(shipping.ship(LINES))
        async with asyncio.timeout(15):
            await told.wait()
            problem = shipping.state.problem
            assert not task.done()
            mended.set()
            assert await task == []
    assert problem
    assert "s3cret" not in problem
    assert shipping.state.problem is None
    assert peer.accepted == LINES


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_waited_for(api: str, status: int):
    async with http_peer(Answer(status, "", {"Retry-After": "2"})) as peer:
        before = asyncio.get_running_loop().time()
        await ship(api, peer)
    assert asyncio.get_running_loop().time() - before >= 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("Sun, 06 Nov 1994 08:50:00 GMT", 23),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0),
        ("86400", 3600),
        ("tomorrow", 0),
        ("-5", 0),
        ("١", 0),
        (None, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float):
    """RFC 9110 section 10.2.3; an hour at most, and nothing where it is neither."""
    now_s = 784_111_777
    assert retry_after_s(text, now_s) == seconds


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refused_batch_is_halved_until_the_culprit_stands_alone(api: str, status: int):
    def rule(request: Request) -> Answer | None:
        if b"temperature=5.5" in request.body:
            return Answer(status, words("unable to parse that"))
        return None

    async with http_peer(rule=rule) as peer:
        refused, state, _ = await ship(api, peer)
    ((line, said),) = refused
    assert line == b"room_air,node=a temperature=5.5,temperature_quality=0i 5"
    assert "unable to parse that" in said
    # All the others are in, and of the culprit's point the other field.
    assert b"room_air,node=a co2=800.0,co2_quality=0i 5" in peer.accepted
    assert {line for line in LINES if b" temperature=5.5" not in line} <= set(peer.accepted)
    assert state.refused == 1


async def test_a_field_of_another_type_stops_nothing_else(api: str):
    """Every point has the culprit: the field goes apart at once, not point by point."""
    conflict = 'partial write: field type conflict: input field "co2" on measurement "room_air" is '
    conflict += "type float, already exists as type integer dropped={}"

    def rule(request: Request) -> Answer | None:
        bad = sum(b"co2=" in line for line in request.lines)
        return Answer(400, words(conflict.format(bad))) if bad else None

    async with http_peer(rule=rule) as peer:
        refused, _, _ = await ship(api, peer)
    assert len(refused) == len(LINES)
    assert all(b"temperature" not in one.line for one in refused)
    assert sum(b"temperature=" in line for line in set(peer.accepted)) == len(LINES)
    assert len(peer.requests) <= 3


async def test_points_that_the_database_is_set_to_forget_are_counted_not_kept_aside(api: str):
    text = "partial write: points beyond retention policy dropped=3"
    async with http_peer(Answer(400, words(text))) as peer:
        refused, state, _ = await ship(api, peer)
    assert (refused, state.beyond_retention) == ([], 3)


async def test_a_missing_database_of_1_x_is_created():
    made = []

    def rule(request: Request) -> Answer | None:
        if request.path.startswith("/query"):
            made.append(request.path)
            return Answer(200, json.dumps({"results": [{"statement_id": 0}]}))
        return None if made else Answer(404, words('database not found: "preau"'))

    async with http_peer(rule=rule) as peer:
        await ship("v1", peer)
    assert len(made) == 1
    assert "CREATE+DATABASE" in made[0]
    assert peer.accepted[-len(LINES) :] == LINES


async def test_a_missing_bucket_of_2_x_is_told_clearly():
    async with http_peer(Answer(404, words('bucket "preau" not found'))) as peer:
        _, _, problems = await ship("v2", peer)
    assert 'bucket "preau" not found' in problems[0]
    assert "create the bucket" in problems[0]


async def test_what_goes_over_the_line(api: str):
    async with http_peer() as peer:
        await ship(api, peer)
    (request,) = peer.requests
    assert request.method == "POST"
    assert request.headers["content-encoding"] == "gzip"
    assert "precision=ms" in request.path
    assert "s3cret" not in request.path
    if api == "v2":
        assert request.path.startswith("/api/v2/write?")
        assert request.headers["authorization"] == "Token s3cret-token"
    else:
        assert request.path.startswith("/write?")


async def test_a_server_that_is_not_there_is_waited_for(api: str):
    problems = []
    async with http_peer() as peer:
        pass
    async with client_of(target(api, peer.url)) as client:
        shipping = Shipping(client)
        shipping.changed = lambda: problems.append(shipping.state.problem)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await shipping.ship(LINES)
    assert len(problems) == 1
    assert peer.url in problems[0]
