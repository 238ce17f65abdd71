"""What is told of the town's certificates by health and metrics."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.certificate_watch import CertificateWatch
from gateway.changes import Changes
from gateway.commands.pki_create import create_pki
from gateway.health import Health
from gateway.metrics import Metrics

LIFE = timedelta(days=5 * 1461 // 4)


@pytest.fixture
def health() -> Health:
    return Health(broker_connected=True)


def watched(folder: Path, health: Health) -> str:
    """The metrics after one look."""
    metrics = Metrics()
    watch = CertificateWatch(folder, health, Changes(), metrics)
    watch.note(watch.look())
    return metrics.exposition().decode()


def made(folder: Path, days_left: int) -> Path:
    """Server certificates that end in so many days; the authority lasts for decades."""
    begun = datetime.now(UTC) - LIFE + timedelta(days=days_left, hours=1)
    create_pki(folder, town="Trilport", hosts=["localhost"], now=begun)
    return folder


def test_thirty_days_before_it_ends_it_is_told_and_readings_go_on(tmp_path, health):
    told = watched(made(tmp_path / "pki", 29), health)
    assert "broker: ends in 29 days" in health.problems["certificates"]
    assert "preau pki renew broker" in health.problems["certificates"]
    assert 'preau_certificate_days_left{name="broker"} 29.0' in told
    assert health.is_well


def test_before_that_nothing_is_said(tmp_path, health):
    health.problems["certificates"] = "renewed since"
    told = watched(made(tmp_path / "pki", 31), health)
    assert health.problems == {}
    assert 'preau_certificate_days_left{name="broker"} 31.0' in told


def test_without_certificates_there_is_nothing_to_say(tmp_path, health):
    assert "certificate" not in watched(tmp_path, health)
    assert health.problems == {}


def test_a_damaged_certificate_is_told(tmp_path, health):
    (made(tmp_path / "pki", 300) / "broker.pem").write_text("nothing")
    watched(tmp_path / "pki", health)
    assert "broker.pem holds no certificate" in health.problems["certificates"]
