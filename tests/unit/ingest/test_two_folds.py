"""Neither fold reads the other's tables: the order between their streams could else matter (protocol.md)."""

import ast
import re
from importlib.resources import files
from pathlib import Path

import pytest

from splitcart_common.postgres import load_queries

PACKAGE = Path(str(files("splitcart_ingest")))
SHARED = {"stores"}
"""A store's key and number: each fold adds the row it misses and reads no more of it."""
OF_STORES = {"store_heads", "scrapes", "open_batches", "price_history", "latest_prices"}
OF_GROUPS = {"group_markers", "group_exceptions", "group_skus"}
OF_LISTINGS = {"listings", "read_barcodes"}
OF_HOUSEKEEPING = {"floors"}
OF_CATALOGUE = {"products", "links", "variations", "bars", "brands", "catalogue_head"}


def tables(folder: Path = PACKAGE / "sql/migrations") -> set[str]:
    text = "\n".join(path.read_text() for path in folder.glob("*.sql"))
    return set(re.findall(r"CREATE TABLE (\w+)", text))


def named(file: str) -> set[str]:
    """The tables that the queries of a file name."""
    words = re.findall(r"\w+", "\n".join(load_queries("splitcart_ingest", f"sql/{file}.sql").values()))
    return tables() & set(words)


def test_every_table_belongs_to_one():
    assert tables() == SHARED | OF_STORES | OF_GROUPS | OF_LISTINGS | OF_HOUSEKEEPING | OF_CATALOGUE


def test_the_store_fold_reads_nothing_of_the_membership_fold():
    assert named("queries") == SHARED | OF_STORES | OF_LISTINGS


def test_the_membership_fold_reads_nothing_of_the_store_fold():
    assert named("membership") == OF_GROUPS


def test_the_catalogue_is_a_fold_of_its_own_log():
    """And what describes a listing adds the row of one that is not decided on, and no more (decision 0022)."""
    assert named("catalogue") == OF_CATALOGUE
    assert "DO NOTHING" in load_queries("splitcart_ingest", "sql/catalogue.sql")["stand_alone"]
    assert names_of("book.py", "splitcart_ingest.identity.tables") == {"stand_alone"}


def test_housekeeping_writes_neither_record():
    written = set()
    for text in load_queries("splitcart_ingest", "sql/housekeeping.sql").values():
        written |= set(re.findall(r"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)", text)) - {"SET", "SKIP"}
    assert written == {"latest_prices", "store_heads", "floors"}


def imports(module: str) -> set[str]:
    tree = ast.parse((PACKAGE / module).read_text())
    return {
        f"{node.module}.{alias.name}" if node.module == "splitcart_ingest.store" else str(node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if str(node.module).startswith("splitcart_ingest")
    }


def names_of(module: str, imported: str) -> set[str]:
    """What a module takes of another."""
    tree = ast.parse((PACKAGE / module).read_text())
    found = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module == imported]
    return {alias.name for node in found for alias in node.names}


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        (
            "handlers/groups.py",
            {
                "splitcart_ingest.domain.membership",
                "splitcart_ingest.handlers.problems",
                "splitcart_ingest.members",
            },
        ),
        (
            "members.py",
            {
                "splitcart_ingest.domain.exceptions",
                "splitcart_ingest.domain.membership",
                "splitcart_ingest.store.store_numbers",
            },
        ),
    ],
)
def test_the_membership_fold_asks_the_store_fold_for_a_stores_number_and_no_more(module, allowed):
    assert imports(module) == allowed


@pytest.mark.parametrize("module", ["store.py", "cache.py", "handlers/observations.py", "domain/prices.py"])
def test_the_store_fold_knows_of_no_group(module):
    assert not {name for name in imports(module) if "member" in name or "group" in name or "exceptions" in name}


def test_no_sql_hides_in_the_code_of_the_folds():
    """Else the tables it names would not be looked at here."""
    for path in [*PACKAGE.glob("*.py"), *PACKAGE.glob("handlers/*.py")]:
        if path.name != "commands.py":
            text = path.read_text()
            assert not re.search(r'"\s*(SELECT (?!pg_advisory)|INSERT|UPDATE|DELETE)\b', text), path
