"""Settings from the environment: a wrong one ends the process with its name and what was expected."""

import pytest
from pydantic import ValidationError

from splitcart_common.clock import ScaledClock
from splitcart_common.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SPLITCART_{name.upper()}", raising=False)


def test_without_any_there_are_defaults():
    settings = Settings()
    assert settings.topic_prefix == "splitcart"
    assert settings.clock == ScaledClock.real()
    assert settings.instance is None


def test_the_environment_is_read(monkeypatch):
    clock = "2026-09-01T00:00:00+00:00/2026-11-21T08:00:00+00:00/14400"
    monkeypatch.setenv("SPLITCART_CLOCK", clock)
    monkeypatch.setenv("SPLITCART_HEALTH_PORT", "8081")
    monkeypatch.setenv("SPLITCART_OF_ANOTHER_SERVICE", "is let be")
    settings = Settings()
    assert settings.clock == ScaledClock.parse(clock)
    assert settings.health_port == 8081
    assert ScaledClock.parse(settings.model_dump()["clock"]) == settings.clock, "as it is handed to a process"


def test_settings_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().topic_prefix = "other"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CLOCK", "tomorrow", r"'tomorrow' is not a clock .*expected <virtual start>/<wall anchor>/<speed>"),
        ("TOPIC_PREFIX", "Split.Cart", r"should match pattern '\^\[a-z\]"),
        ("INSTANCE", "a b", "should match pattern"),
        ("HEALTH_PORT", "70000", "less than or equal to 65535"),
        ("HEALTH_PORT", "http", "valid integer"),
        ("LOG_FORMAT", "xml", r"json\|console"),
        ("LOG_LEVEL", "loud", r"debug\|info\|warning\|error"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch, name, value, said):
    monkeypatch.setenv(f"SPLITCART_{name}", value)
    with pytest.raises(ValidationError, match=said) as caught:
        Settings()
    assert [error["loc"] for error in caught.value.errors()] == [(name.lower(),)]
