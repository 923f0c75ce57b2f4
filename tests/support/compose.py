"""docker-compose.yml read as data: each check is a function of the parsed file that lists what is wrong with it.

What it is held to: the sandbox's one description of the services, the embedded broker and server, the settings.
"""

import importlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic_settings import BaseSettings

from splitcart_common.topics import ALL as TOPICS
from splitcart_sandbox import kafka, postgres
from splitcart_sandbox.processes import Program
from splitcart_sandbox.services import ALL, SERVICES, SIMULATOR, Addresses, Service, environment

ROOT = Path(__file__).resolve().parents[2]
Compose = dict[str, Any]
COMPOSE: Compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
MACHINERY = {"kafka", "postgres", "prepare"}

CONTAINER = {service.name: {"SPLITCART_HEALTH_HOST", "SPLITCART_INSTANCE"} for service in SERVICES} | {
    "gateway": {"SPLITCART_GATEWAY_HOST"},
    "simulator": {f"SPLITCART_SIMULATOR_{name}" for name in ("HOST", "COMPANIES", "STORES", "LISTINGS")},
}
"""What a container is told beside the description: where to listen, under which name, how large a country."""
CONTAINER["scraper"] |= {"SPLITCART_SCRAPER_USER_AGENT"}

LAPTOP = re.compile(
    r"num\.|log\.cleaner|log\.index|log\.segment|broker\.(session|heartbeat)|(offsets|transaction|share).*\.num\."
)
"""Settings of the embedded broker that make it small and quick; a machine of its own has no need of them."""

PLACE = {
    "listeners",
    "advertised.listeners",
    "controller.quorum.voters",
    "log.dirs",
    "group.min.session.timeout.ms",
}


def read_env(name: str) -> dict[str, str]:
    """The variables an env file sets; a line that is commented out sets none."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value.strip('"') for name, _, value in pairs}


LIVE = {
    name: value or ("Shop-Watch/1.0 (mail@example.org)" if name.endswith("USER_AGENT") else "filled-in")
    for name, value in read_env(".env.example").items()
}
"""As an operator fills it in."""
SIMULATED = LIVE | read_env("deploy/simulator.env")
ASKED = re.compile(r"\$\{([A-Z_]+)(?:(:-|:\?)([^}]*))?\}")


def filled(text: object, given: Mapping[str, str]) -> str:
    """A value as compose makes it; LookupError for a variable that must be there and is not."""

    def fill(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        if value := ({"COMPOSE_PROJECT_NAME": COMPOSE["name"]} | dict(given)).get(name):
            return value
        if operator != ":-":
            raise LookupError(f"{name}: {rest}")
        return str(rest)

    return ASKED.sub(fill, str(text))


def told(compose: Compose, name: str, given: Mapping[str, str]) -> dict[str, str]:
    """A container's environment: a key without a value is passed on where it is given."""
    pairs = compose["services"][name]["environment"].items()
    made = {key: given.get(key) if value is None else filled(value, given) for key, value in pairs}
    return {key: value for key, value in made.items() if value is not None}


def settings_of(service: Service) -> type[BaseSettings]:
    module = importlib.import_module(f"{service.module}.settings")
    (found,) = (
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, BaseSettings) and kind.__module__ == module.__name__
    )
    return found


def is_setting(kind: type[BaseSettings], variable: str) -> bool:
    prefix = str(kind.model_config["env_prefix"])
    for name, field in kind.model_fields.items():
        alias = getattr(field.validation_alias, "choices", ())
        own = f"{prefix}{name}".upper()
        # One variable an entry, where the setting is a mapping.
        if variable in (own, *alias) or (field.annotation == dict[str, str] and variable.startswith(f"{own}_")):
            return True
    return False


def port_of(compose: Compose, service: Service) -> int:
    return int(compose["services"][service.name]["environment"][service.port_variable])


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(s|m)", text).groups()
    return int(number) * {"s": 1, "m": 60}[unit]


# The checks --------------------------------------------------------------------------------------------------


def who_runs(compose: Compose) -> list[str]:
    names = set(compose["services"]) - MACHINERY
    wrong = [f"{name} is in one of the two only" for name in names ^ {service.name for service in ALL}]
    for name, service in compose["services"].items():
        wanted = ["simulator"] if name == SIMULATOR.name else []
        wrong += [f"{name} is in profiles {service.get('profiles')}"] * (service.get("profiles", []) != wanted)
    return wrong


def what_they_are_told(compose: Compose) -> list[str]:
    wrong = []
    for service in ALL:
        there = set(compose["services"][service.name]["environment"])
        wanted = {*service.variables, service.port_variable, *CONTAINER[service.name]}
        wanted |= {"PGPASSWORD"} if "SPLITCART_POSTGRES_DSN" in wanted else set()
        wrong += [f"{service.name}: {name} is in one of the two only" for name in sorted(there ^ wanted)]
        ours = sorted(name for name in there if name.startswith("SPLITCART_"))
        wrong += [f"{service.name} has no setting {n}" for n in ours if not is_setting(settings_of(service), n)]
    return wrong


def which_values(compose: Compose) -> list[str]:
    """What the sandbox would tell a service at these addresses, live and on the simulator."""
    ports = {service.name: port_of(compose, service) for service in ALL}
    dsn = "postgresql://postgres@postgres:5432/splitcart"
    wrong = []
    for given, without in ((LIVE, SIMULATOR.name), (SIMULATED, None)):
        known = {name: port for name, port in ports.items() if name != without}
        addresses = Addresses("kafka:9092", dsn, "splitcart", "", known)
        for service in ALL if without is None else SERVICES:
            is_told = told(compose, service.name, given)
            meant = environment(service, addresses)
            # The clock is the operator's; live, prices turn when the settings say.
            for name in {"SPLITCART_CLOCK", *({"SPLITCART_TURNS"} if without else ())}:
                meant.pop(name, None)
            meant = {name: value.replace("//127.0.0.1", "//simulator") for name, value in meant.items()}
            wrong += [
                f"{service.name}: {name}={is_told.get(name)}, meant is {meant.get(name)}"
                for name in sorted(meant.keys() | is_told.keys() - CONTAINER[service.name] - {"PGPASSWORD"})
                if is_told.get(name) != meant.get(name)
            ]
    return wrong


def health(compose: Compose) -> list[str]:
    wrong = []
    for service in ALL:
        test = compose["services"][service.name]["healthcheck"]["test"]
        asked = urlsplit(test[-1])
        if test[:-1] != ["CMD", "python", "/opt/ready.py"]:
            wrong.append(f"{service.name} is asked by {test}")
        if (asked.hostname, asked.port, asked.path) != (
            "127.0.0.1",
            port_of(compose, service),
            service.ready_path,
        ):
            wrong.append(f"{service.name} is asked at {test[-1]}")
    return wrong


def patience(compose: Compose) -> list[str]:
    """No container is killed sooner than the sandbox's supervisor would have killed it."""
    least = dict.fromkeys((service.name for service in ALL), Program("", (), ROOT).grace_seconds)
    least["kafka"] = kafka.Broker(ROOT, ROOT, 1, 2, "").program.grace_seconds
    least["postgres"] = postgres.Server(ROOT, ROOT, 1).program.grace_seconds
    stops = {name: seconds(compose["services"][name].get("stop_grace_period", "10s")) for name in least}
    return [f"{name} has {stops[name]:g} s to stop" for name, needed in least.items() if stops[name] < needed]


def broker(compose: Compose) -> list[str]:
    lines = (line.partition("=") for line in kafka.PROPERTIES.splitlines() if not line.startswith("#"))
    meant = {name: value for name, _, value in lines if not LAPTOP.match(name)}
    there = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in compose["services"]["kafka"]["environment"].items()
    }
    wrong = [f"{name} is not set" for name in sorted(meant.keys() - there.keys())]
    return wrong + [
        f"{name} is {there[name]}, in the sandbox {meant[name]}"
        for name in sorted((meant.keys() & there.keys()) - PLACE)
        if set(there[name].split(",")) != set(meant[name].split(","))
    ]


def server(compose: Compose) -> list[str]:
    service = compose["services"]["postgres"]
    # The user is the image's default, and who is trusted the image's business: it asks for passwords.
    meant = [argument for argument in postgres.INITDB if not argument.startswith(("--username=", "--auth="))]
    wrong = []
    if service["environment"]["POSTGRES_INITDB_ARGS"].split() != meant:
        wrong.append("the data directory is made otherwise than the sandbox's")
    if (
        service["image"] != f"postgres:{postgres.MAJOR}"
        or compose["services"]["prepare"]["image"] != service["image"]
    ):
        wrong.append("it is another version")
    if service["environment"]["POSTGRES_HOST_AUTH_METHOD"] != "scram-sha-256":
        wrong.append("it asks for no password")
    here = {"listen_addresses", "unix_socket_directories", "log_line_prefix"}
    settings = {f"-c{name}={value}" for name, value in postgres.SETTINGS.items() if name not in here}
    differ = settings ^ set(service["command"][1:])
    return wrong + [f"{setting} is in one of the two only" for setting in sorted(differ)]


def confinement(compose: Compose) -> list[str]:
    wrong = []
    for name, service in compose["services"].items():
        if service.get("security_opt") != ["no-new-privileges:true"]:
            wrong.append(f"{name} may gain privileges")
        if service.get("restart") != ("no" if name == "prepare" else "unless-stopped"):
            wrong.append(f"{name} restarts {service.get('restart')}")
        if name not in {"kafka", "postgres"} and not (service.get("read_only") and service["cap_drop"] == ["ALL"]):
            wrong.append(f"{name} may write or has capabilities")
        if service.get("privileged") or service.get("user") in {"root", "0"}:
            wrong.append(f"{name} is root")
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    if {name: [filled(port, LIVE) for port in ports] for name, ports in published.items()} != {
        "gateway": ["127.0.0.1:8080:8080"]
    }:
        wrong.append(f"published: {published}")
    return wrong


def names_of_instances(compose: Compose) -> list[str]:
    """Two under one name would push each other out of the group, for ever: the container's name forbids it."""
    consuming = {service.name for service in SERVICES} & {name for topic in TOPICS for name in topic.consumers}
    wrong = []
    for name in sorted(consuming - {"gateway"}):  # the gateway consumes nothing yet
        service = compose["services"][name]
        instance = service["environment"].get("SPLITCART_INSTANCE")
        if instance != f"{name}-1" or filled(service.get("container_name"), {}) != f"splitcart-{instance}":
            wrong.append(f"{name} is {instance} in {service.get('container_name')}")
    return wrong


def passwords(compose: Compose) -> list[str]:
    """None is written down, each must be given, and each reaches its own role and container only."""
    wrong = []
    sql = (ROOT / "deploy/postgres/passwords.sql").read_text(encoding="utf-8")
    pairs = re.findall(r"^\\getenv password (\w+)\nALTER ROLE (\w+) PASSWORD :'password';$", sql, re.MULTILINE)
    roles = {role: variable for variable, role in pairs}
    for service in SERVICES:
        text = str(compose["services"][service.name]["environment"].get("PGPASSWORD"))
        variable = roles.get(f"splitcart_{service.name}", "no variable")
        if not text.startswith(f"${{{variable}:?"):
            wrong.append(f"{service.name} has {text}, its role {variable}")
        if compose["services"]["prepare"]["environment"].get(variable) != text:
            wrong.append(f"prepare does not get {variable}")
    for name, service in compose["services"].items():
        for key, value in service.get("environment", {}).items():
            secret = "PASSWORD" in key
            wrong += [f"{name} has {key} in plain"] * (secret and not str(value).startswith("${POSTGRES_PASSWORD"))
    must = set(re.findall(r"\$\{([A-Z_]+):\?", str(compose)))
    return wrong + [f"{name} is in one of .env.example and the file only" for name in must ^ LIVE.keys()]


def structure(compose: Compose) -> list[str]:
    """What `docker compose config` would say, as far as this file goes."""
    service_keys = {
        *(
            "image",
            "build",
            "command",
            "entrypoint",
            "environment",
            "volumes",
            "ports",
            "depends_on",
            "healthcheck",
        ),
        *("restart", "init", "user", "read_only", "tmpfs", "cap_drop", "security_opt", "logging", "profiles"),
        *("stop_grace_period", "container_name", "shm_size"),
    }
    wrong = [f"unknown key {k}" for k in compose if k not in {"name", "services", "volumes"} and k[:2] != "x-"]
    for name, service in compose["services"].items():
        wrong += [f"{name}: unknown key {key}" for key in service.keys() - service_keys]
        wrong += [f"{name} has neither image nor build"] * (("image" in service) == ("build" in service))
        check = service.get("healthcheck", {"test": ["CMD"]})
        wrong += [f"{name}: health check"] * (check["test"][0] not in {"CMD", "CMD-SHELL"})
        for key in ("interval", "timeout", "start_period"):
            wrong += [f"{name}: {key}"] * (re.fullmatch(r"\d+[sm]", check.get(key, "1s")) is None)
        for other, how in service.get("depends_on", {}).items():
            needed = compose["services"].get(other, {})
            fits = {
                "service_healthy": "healthcheck" in needed,
                "service_completed_successfully": needed.get("restart") == "no",
            }
            wrong += [f"{name} waits for {other} {how}"] * (not fits.get(how["condition"], False))
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            there = (ROOT / source).exists() if source.startswith(".") else source in compose["volumes"]
            wrong += [f"{name}: no volume {source}"] * (not there)
        left = ASKED.sub("", str(service))
        wrong += [f"{name}: a variable that cannot be read"] * ("$" in left)
    return wrong


def dependencies(compose: Compose) -> list[str]:
    """A role must be there before it is used; a broker is waited for by the service itself, but told in time."""
    wrong = []
    for service in SERVICES:
        waits = {name: how["condition"] for name, how in compose["services"][service.name]["depends_on"].items()}
        wrong += [f"{service.name} may start before its role"] * (
            waits.get("prepare") != "service_completed_successfully"
        )
    command = compose["services"]["prepare"]["command"]
    files = [argument.partition("=")[2] for argument in command if argument.startswith("--file=")]
    if files != ["/deploy/roles.sql", "/deploy/passwords.sql"] or "--set=ON_ERROR_STOP=1" not in command:
        wrong.append(f"prepare runs {command}")
    return wrong


CHECKS: tuple[Callable[[Compose], list[str]], ...] = (
    who_runs,
    what_they_are_told,
    which_values,
    health,
    patience,
    broker,
    server,
    confinement,
    names_of_instances,
    passwords,
    structure,
    dependencies,
)
