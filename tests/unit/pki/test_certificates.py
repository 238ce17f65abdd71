"""The town's authority and its servers: who accepts them, until when, and what is refused."""

import os
import ssl
import stat
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from gateway.pki.authority import (
    certificate_file,
    create_authority,
    issue_server_certificate,
    key_file,
    load_authority,
    load_identity,
    node_file,
    renew_server_certificate,
)
from gateway.pki.expiry import certificate_states
from gateway.pki.hosts import hosts_of
from ingest.errors import ConfigurationError
from tests.servers import require

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOSTS = ("mqtt.trilport.fr", "192.168.1.10", "fd00::10")
NEVER_SET_S = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    folder = tmp_path / "pki"
    create_authority(folder, town="Saint-Rémy-lès-Chevreuse", now=NOW)
    issue_server_certificate(folder, "broker", HOSTS, now=NOW)
    return folder


def openssl_verify(trusted: Path, certificate: Path, *options: str | Path) -> str:
    """What is wrong with a server's certificate; nothing where it is accepted."""
    strict = ("-purpose", "sslserver", "-x509_strict")
    done = subprocess.run(
        [require("openssl"), "verify", "-CAfile", trusted, *strict, *options, certificate],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr


def verified(folder: Path, *options: str, at_s: int | None = None) -> bool:
    """Whether `openssl verify` accepts the broker's certificate."""
    when = ("-attime", str(at_s or int(NOW.timestamp())))
    files = certificate_file(folder), certificate_file(folder, "broker")
    return not openssl_verify(*files, *when, *options)


def shaken_hands(folder: Path, host: str) -> None:
    """A TLS handshake in memory, as strict as Python's ssl can be; raises what the client says."""
    client = ssl.create_default_context(cafile=certificate_file(folder))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate_file(folder, "broker"), key_file(folder, "broker"))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=host)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(5):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert ours.version() == "TLSv1.3"


def test_openssl_accepts_it_from_the_first_day_of_2000_to_its_end(pki):
    ends_at = load_identity(pki, "broker").certificate.not_valid_after_utc
    assert ends_at - NOW > timedelta(days=5 * 365)
    assert verified(pki)
    assert verified(pki, at_s=NEVER_SET_S), "a node without a clock could not connect"
    assert verified(pki, at_s=int(ends_at.timestamp()) - 1)
    assert not verified(pki, at_s=int(ends_at.timestamp()) + 1)
    assert not verified(pki, at_s=NEVER_SET_S - 1)


def test_it_is_for_each_of_its_names_and_addresses_and_no_other(pki):
    assert verified(pki, "-verify_hostname", "mqtt.trilport.fr")
    assert verified(pki, "-verify_ip", "192.168.1.10")
    assert verified(pki, "-verify_ip", "fd00::10")
    assert not verified(pki, "-verify_hostname", "trilport.fr")
    assert not verified(pki, "-verify_ip", "192.168.1.11")


@pytest.mark.parametrize("host", HOSTS)
def test_strict_python_accepts_it(pki, host):
    shaken_hands(pki, host)


def test_strict_python_refuses_another_host_and_another_authority(pki, tmp_path):
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shaken_hands(pki, "other.trilport.fr")
    create_authority(tmp_path / "other", town="Trilport", now=NOW)
    certificate_file(pki).write_bytes(certificate_file(tmp_path / "other").read_bytes())
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        shaken_hands(pki, "mqtt.trilport.fr")


def test_the_authority_lasts_thirty_years_and_signs_no_other_authority(pki):
    certificate = load_authority(pki).certificate
    assert certificate.not_valid_after_utc - NOW > timedelta(days=30 * 365)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)


def test_a_server_is_no_authority(pki, tmp_path):
    """Whoever takes the broker's key can't sign certificates with it."""
    forged = tmp_path / "forged"
    forged.mkdir()
    key_file(forged).write_bytes(key_file(pki, "broker").read_bytes())
    key_file(forged).chmod(0o600)
    certificate_file(forged).write_bytes(certificate_file(pki, "broker").read_bytes())
    issue_server_certificate(forged, "broker", HOSTS, now=NOW)
    told = openssl_verify(
        certificate_file(pki),
        certificate_file(forged, "broker"),
        *("-untrusted", certificate_file(forged)),
    )
    assert "invalid CA certificate" in told


def test_what_nodes_take_is_the_same_certificate(pki):
    node = x509.load_der_x509_certificate(node_file(pki).read_bytes())
    assert node == load_authority(pki).certificate


def test_keys_are_for_their_owner_alone(pki):
    for name in ("ca", "broker"):
        assert stat.S_IMODE(key_file(pki, name).stat().st_mode) == 0o600
    assert stat.S_IMODE(pki.stat().st_mode) == 0o755, "the gateway reads ca.pem"


def test_an_authority_is_never_replaced(pki):
    before = {file: file.read_bytes() for file in pki.iterdir()}
    with pytest.raises(ConfigurationError, match=r"ca\.pem is there already"):
        create_authority(pki, town="Trilport", now=NOW)
    certificate_file(pki).unlink()
    with pytest.raises(ConfigurationError, match=r"ca\.key is there without its ca\.pem"):
        create_authority(pki, town="Trilport", now=NOW)
    assert all(file.read_bytes() == before[file] for file in pki.iterdir())


def test_a_renewed_certificate_has_a_new_key_and_the_same_hosts(pki):
    old = load_identity(pki, "broker")
    renewed = renew_server_certificate(pki, "broker", now=NOW + timedelta(days=1000))
    assert hosts_of(renewed.certificate) == hosts_of(old.certificate) == HOSTS
    assert renewed.key.public_key() != old.key.public_key()
    assert renewed.certificate.not_valid_after_utc > old.certificate.not_valid_after_utc
    assert verified(pki)


def test_no_server_outlives_its_authority(pki):
    end = load_authority(pki).certificate.not_valid_after_utc
    late = issue_server_certificate(pki, "broker", HOSTS, now=end - timedelta(days=10))
    assert late.certificate.not_valid_after_utc == end
    with pytest.raises(ConfigurationError, match="has ended on 2056"):
        issue_server_certificate(pki, "broker", HOSTS, now=end)


def problems_at(folder: Path, now: datetime) -> dict[str, str]:
    return {state.name: state.problem for state in certificate_states(folder, now)}


def test_an_end_is_told_thirty_days_before(pki):
    end = load_identity(pki, "broker").certificate.not_valid_after_utc
    assert problems_at(pki, end - timedelta(days=30))["broker"] == ""
    soon = problems_at(pki, end - timedelta(days=29, seconds=1))
    assert soon == {"ca": "", "broker": "ends in 29 days; type: preau pki renew broker"}
    assert problems_at(pki, end)["broker"] == "has ended; type: preau pki renew broker"


def test_the_key_of_the_authority_may_be_kept_elsewhere_until_something_is_signed(pki):
    key_file(pki).unlink()
    assert not any(problems_at(pki, NOW).values())
    with pytest.raises(ConfigurationError, match=r"ca\.key is missing; put it back"):
        renew_server_certificate(pki, "broker", now=NOW)


def test_whoever_may_not_read_keys_is_told_the_ends_all_the_same():
    """The gateway's own user, for one."""
    with TemporaryDirectory() as place:
        pki = Path(place) / "pki"
        Path(place).chmod(0o755)
        create_authority(pki, town="Trilport", now=NOW)
        issue_server_certificate(pki, "broker", HOSTS, now=NOW)
        if is_root := os.geteuid() == 0:
            os.seteuid(65534)
        else:
            key_file(pki, "broker").chmod(0)
        try:
            assert problems_at(pki, NOW) == {"ca": "", "broker": ""}
        finally:
            if is_root:
                os.seteuid(0)


def test_what_does_not_belong_together_is_told(pki, tmp_path):
    create_authority(tmp_path / "other", town="Trilport", now=NOW)
    stranger = issue_server_certificate(tmp_path / "other", "broker", HOSTS, now=NOW)
    assert stranger.certificate.issuer != load_authority(pki).certificate.subject
    old_key = key_file(pki, "broker").read_bytes()
    key_file(pki, "broker").write_bytes(key_file(tmp_path / "other", "broker").read_bytes())
    assert "is not the key of" in problems_at(pki, NOW)["broker"]
    key_file(pki, "broker").write_bytes(old_key)
    foreign = certificate_file(tmp_path / "other", "broker").read_bytes()
    certificate_file(pki, "broker").write_bytes(foreign)
    assert "not signed by" in problems_at(pki, NOW)["broker"]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:90]), "holds no key"),
        (lambda file: file.write_bytes(b"\xff\x00"), "holds no key"),
        (lambda file: file.chmod(0o640), r"mode 0640\); type: chmod 600"),
    ],
)
def test_a_key_that_is_damaged_or_open_signs_nothing(pki, damage, told):
    damage(key_file(pki))
    with pytest.raises(ConfigurationError, match=told):
        issue_server_certificate(pki, "broker", HOSTS, now=NOW)


@pytest.fixture(scope="module")
def spare() -> Iterator[Path]:
    """A PKI folder for a test that runs many times."""
    with TemporaryDirectory() as place:
        create_authority(Path(place), town="Trilport", now=NOW)
        issue_server_certificate(Path(place), "broker", HOSTS, now=NOW)
        yield Path(place)


# A serial number that is negative now is only warned of as yet; its signature is wrong in any case.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(name=st.sampled_from(["ca", "broker"]), data=st.data())
def test_a_certificate_with_a_flipped_byte_is_told_and_breaks_nothing(spare, name, data):
    file = certificate_file(spare, name)
    whole = file.read_bytes()
    der = bytearray(ssl.PEM_cert_to_DER_cert(whole.decode()))
    # How many bits of the signature are unused: OpenSSL reads on as if there were none.
    ignored = len(der) - len(x509.load_der_x509_certificate(bytes(der)).signature) - 1
    places = st.integers(0, len(der) - 1).filter(lambda place: place != ignored)
    der[data.draw(places)] ^= data.draw(st.integers(1, 255))
    file.write_text(ssl.DER_cert_to_PEM_cert(bytes(der)))
    try:
        assert any(problems_at(spare, NOW).values())
    except ConfigurationError as error:
        assert str(file) in str(error)  # noqa: PT017 - either is right
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize(
    "host", ["", "a b", "-trilport.fr", "*.trilport.fr", "école.fr", "10.0.0.1:8883", "a\nb"]
)
def test_a_host_that_is_none_is_refused_and_nothing_replaced(pki, host):
    before = certificate_file(pki, "broker").read_bytes()
    with pytest.raises(ConfigurationError, match="must be a host name or an IP address"):
        issue_server_certificate(pki, "broker", ["mqtt.trilport.fr", host], now=NOW)
    assert certificate_file(pki, "broker").read_bytes() == before


@pytest.mark.parametrize("town", ["", "  ", "x" * 65, "Tril\nport"])
def test_a_town_that_can_not_stand_in_a_certificate_is_refused(tmp_path, town):
    with pytest.raises(ConfigurationError, match="must be one line of 1 to 64 characters"):
        create_authority(tmp_path / "pki", town=town, now=NOW)
    assert not (tmp_path / "pki").exists()
