"""docker-compose.yml, the sandbox and the settings agree: three descriptions of the same services.

There is no engine where this runs, so the file is read as data (tests/support/compose.py); at the end each check
is shown a file it must find fault with.
"""

import copy
import shutil
import subprocess
from collections.abc import Callable

import pytest

from splitcart_sandbox.services import ALL, COMPANIES, SERVICES, SIMULATOR
from tests.support.compose import (
    CHECKS,
    COMPOSE,
    LIVE,
    ROOT,
    SIMULATED,
    Compose,
    broker,
    confinement,
    dependencies,
    health,
    names_of_instances,
    passwords,
    patience,
    read_env,
    server,
    settings_of,
    structure,
    told,
    what_they_are_told,
    which_values,
    who_runs,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_file_agrees(check):
    assert check(COMPOSE) == []


@pytest.mark.parametrize("service", ALL, ids=lambda service: service.name)
@pytest.mark.parametrize("given", [LIVE, SIMULATED], ids=["live", "simulated"])
def test_the_settings_take_what_the_container_is_told(service, given, monkeypatch):
    for name, value in told(COMPOSE, service.name, given).items():
        monkeypatch.setenv(name, value)
    settings = settings_of(service)()
    host = next(name for name in ("gateway_host", "host", "health_host") if hasattr(settings, name))
    assert getattr(settings, host) == "0.0.0.0"


def test_the_simulated_country_is_a_project_of_its_own():
    """Its prices must never get into the volumes, or its scraper to the retailers, of a live system."""
    simulated = read_env("deploy/simulator.env")
    assert simulated["COMPOSE_PROJECT_NAME"] != COMPOSE["name"]
    assert simulated["COMPOSE_PROFILES"] == SIMULATOR.name
    bases = {name: value for name, value in simulated.items() if "BASE_URL" in name}
    assert bases.keys() == {name for name in COMPOSE["services"]["scraper"]["environment"] if "BASE_URL" in name}
    assert {company.upper() for company in COMPANIES} == {name.rpartition("_")[2] for name in bases}
    assert simulated["GATEWAY_PUBLISH"] not in str(COMPOSE["services"]["gateway"]["ports"])


def test_without_an_env_file_nothing_starts():
    for service in SERVICES:
        with pytest.raises(LookupError, match=r"runbooks/deploy\.md|contact"):
            told(COMPOSE, service.name, {})


def has_compose() -> bool:
    """Docker's command may be there without the plugin that reads such a file."""
    if (docker := shutil.which("docker")) is None:
        return False
    return not subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode


@pytest.mark.parametrize("given", [LIVE, SIMULATED], ids=["live", "simulated"])
def test_compose_itself_takes_the_file_where_it_is_installed(given, tmp_path):
    """Elsewhere `structure` stands for it."""
    env = tmp_path / "env"
    env.write_text("".join(f'{name}="{value}"\n' for name, value in given.items()), encoding="utf-8")
    if has_compose():
        run = ["docker", "compose", "--env-file", str(env), "config", "--quiet"]
        done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert structure(COMPOSE) == []


# Each check finds what it is for -------------------------------------------------------------------------------

SPOILT: tuple[tuple[Callable[[Compose], list[str]], str, object], ...] = (
    (who_runs, "services.ingest", None),
    (who_runs, "services.other", {"image": "other"}),
    (who_runs, "services.simulator.profiles", []),
    (who_runs, "services.scraper.profiles", ["live"]),
    (what_they_are_told, "services.ingest.environment.SPLITCART_INGEST_COLOUR", "red"),
    (what_they_are_told, "services.ingest.environment.SPLITCART_CLOCK", None),
    (what_they_are_told, "services.scraper.environment.PGPASSWORD", None),
    (
        which_values,
        "services.gateway.environment.SPLITCART_POSTGRES_DSN",
        "postgresql://postgres@postgres/splitcart",
    ),
    (which_values, "services.ingest.environment.SPLITCART_KAFKA_BOOTSTRAP", "kafka:9093"),
    (which_values, "services.scraper.environment.SPLITCART_SCRAPER_COMPANIES", "coles"),
    (which_values, "services.scraper.environment.SPLITCART_SCRAPER_BASE_URL_ALDI", "http://simulator:8090/aldi"),
    (which_values, "services.simulator.environment.SPLITCART_SIMULATOR_PORT", "8091"),
    (health, "services.gateway.environment.SPLITCART_GATEWAY_PORT", "8081"),
    (
        health,
        "services.ingest.healthcheck.test",
        ["CMD", "python", "/opt/ready.py", "http://127.0.0.1:8081/healthz"],
    ),
    (health, "services.ingest.healthcheck.test", ["CMD", "curl", "http://127.0.0.1:8081/readyz"]),
    (patience, "services.scraper.stop_grace_period", "5s"),
    (patience, "services.postgres.stop_grace_period", None),
    (broker, "services.kafka.environment.KAFKA_LOG_RETENTION_MS", 604800000),
    (broker, "services.kafka.environment.KAFKA_AUTO_CREATE_TOPICS_ENABLE", None),
    (server, "services.postgres.environment.POSTGRES_INITDB_ARGS", "--encoding=UTF8 --locale=en_AU.UTF-8"),
    (server, "services.postgres.image", "postgres:17"),
    (server, "services.postgres.environment.POSTGRES_HOST_AUTH_METHOD", "trust"),
    (server, "services.postgres.command", ["postgres", "-cjit=on"]),
    (confinement, "services.kafka.ports", ["9092:9092"]),
    (confinement, "services.gateway.ports", ["8080:8080"]),
    (confinement, "services.scraper.read_only", False),
    (confinement, "services.postgres.security_opt", None),
    (confinement, "services.ingest.user", "root"),
    (confinement, "services.ingest.restart", None),
    (names_of_instances, "services.ingest.container_name", None),
    (names_of_instances, "services.scraper.environment.SPLITCART_INSTANCE", "ingest-1"),
    (passwords, "services.ingest.environment.PGPASSWORD", "secret"),
    (passwords, "services.ingest.environment.PGPASSWORD", "${POSTGRES_PASSWORD_SCRAPER:?it}"),
    (passwords, "services.postgres.environment.POSTGRES_PASSWORD", "postgres"),
    (passwords, "services.prepare.environment.POSTGRES_PASSWORD_GATEWAY", None),
    (passwords, "services.kafka.environment.KAFKA_OPTS", "${SECRET:?it}"),
    (structure, "services.ingest.dependson", {}),
    (structure, "services.ingest.image", "ingest"),
    (structure, "services.ingest.depends_on", {"kafkaa": {"condition": "service_healthy"}}),
    (structure, "services.kafka.volumes", ["data:/var/lib/kafka/data"]),
    (structure, "services.ingest.environment.SPLITCART_LOG_FORMAT", "${LOG:json}"),
    (dependencies, "services.gateway.depends_on", {"postgres": {"condition": "service_healthy"}}),
    (dependencies, "services.prepare.command", ["--file=/deploy/roles.sql"]),
)


@pytest.mark.parametrize(
    ("check", "where", "value"), SPOILT, ids=[f"{check.__name__}-{where}" for check, where, _ in SPOILT]
)
def test_a_spoilt_file_is_found(check, where, value):
    spoilt = copy.deepcopy(COMPOSE)
    *path, last = where.split(".")
    inner = spoilt
    for key in path:
        inner = inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    assert set(map(str, check(spoilt))) - set(check(COMPOSE))


def test_every_check_is_shown_able_to_fail():
    assert {check for check, _, _ in SPOILT} == set(CHECKS)
