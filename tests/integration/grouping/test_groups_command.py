"""`splitcart groups show`: what it explains, and what it says where there is nothing to."""

import asyncio
import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner, Result

from splitcart_grouping import app as service
from splitcart_grouping.commands import app
from splitcart_sandbox.database import service_dsn
from tests.support.bus import publish
from tests.support.grouping import START, caught_up, formed, running, settings, shops, topics


@pytest.fixture
async def grouped(database: str, broker: str, topic_prefix: str) -> str:
    """Two members under one anchor, one of them with exceptions, and a store on its own."""
    await topics(broker, topic_prefix)
    anchor, twin, odd = shops("aldi", zones=(3,))
    (alone,) = shops("aldi", zones=(0, 1), seed=5)
    odd.prices["00003"] += 5
    del odd.prices["00004"]
    town = [anchor, twin, odd, alone]
    async with running(settings(database, broker, topic_prefix)):
        for number, shop in enumerate(town, 1):  # one by one: the group formed first survives
            await publish(broker, topic_prefix, [shop.discovered()])
            await formed(database, number)
        for minute, shop in enumerate(town):
            await publish(broker, topic_prefix, shop.visit(START + timedelta(minutes=minute)))
        await caught_up(database, broker, topic_prefix)
    return service_dsn(database, "gateway")


def run(*words: str, dsn: str) -> Result:
    return CliRunner().invoke(app, ["groups", "show", *words, "--dsn", dsn])


async def shown(*words: str, dsn: str) -> Result:
    return await asyncio.to_thread(run, *words, dsn=dsn)


async def test_any_group_is_explained(grouped: str):
    all_of_them = await shown(dsn=grouped)
    assert all_of_them.exit_code == 0, all_of_them.output
    assert all_of_them.output.splitlines()[1].split("\t")[:4] == ["aldi", "4", "2", "3"]
    company = await shown("aldi", dsn=grouped)
    assert "became a group of its own" in company.output
    store = await shown("aldi:Z0S2", dsn=grouped)
    assert store.exit_code == 0, store.output
    assert "aldi:Z0S2 is priced by aldi:Z0S0, but for 2 exceptions" in store.output
    assert "218 of 219 shared listings bore the same price" in store.output
    assert "not sold" in store.output
    assert "was merged into that of aldi:Z0S0" in store.output
    assert store.output.index("became a group") < store.output.index("was confirmed under")
    assert "its own anchor since" in (await shown("aldi:Z1S0", dsn=grouped)).output
    latest = await shown("aldi:Z0S2", "--history", "1", dsn=grouped)
    assert "was confirmed under" in latest.output
    assert "became a group" not in latest.output
    # As JSON.
    found = json.loads((await shown("aldi:Z0S2", "--json", dsn=grouped)).output)
    assert (found["group"]["anchor"], found["group"]["members"]) == ("aldi:Z0S0", 3)
    assert found["members"][0]["store"] == "aldi:Z0S0"
    assert {part["sku"]: part["price"] is None for part in found["exceptions"]} == {"00003": False, "00004": True}
    assert [decision["kind"] for decision in found["decisions"]][-2:] == ["groups-merged", "member-confirmed"]
    assert json.loads((await shown("aldi", "--json", dsn=grouped)).output)["groups"][0]["members"] == 3
    assert json.loads((await shown("--json", dsn=grouped)).output)["companies"][0]["alone"] == 1
    # What is not there is said, and what to do.
    for words, said in (
        ("coles", "no group of a company 'coles'; there are groups of aldi"),
        ("aldi:NONE", "aldi:NONE is in no group: it has not been discovered"),
    ):
        result = await shown(words, dsn=grouped)
        assert result.exit_code == 2
        assert said in result.output


async def test_an_empty_database(database: str, broker: str, topic_prefix: str):
    dsn = service_dsn(database, "gateway")
    never = await shown(dsn=dsn)
    assert (never.exit_code, "the grouping service has not run" in never.output) == (2, True)
    await service.prepare(settings(database, broker, topic_prefix))
    empty = await shown(dsn=dsn)
    assert (empty.exit_code, "there are no groups yet" in empty.output) == (2, True)
    nowhere = await shown(dsn="postgresql://127.0.0.1:1/none")
    assert (nowhere.exit_code, "cannot be read" in nowhere.output) == (1, True)


def test_help_teaches():
    result = CliRunner().invoke(app, ["groups", "show", "--help"])
    assert result.exit_code == 0
    text = " ".join(result.output.replace("│", " ").split())
    for word in ("priced by its anchor", "98 of 100 must", "--history", "--json"):
        assert word in text
