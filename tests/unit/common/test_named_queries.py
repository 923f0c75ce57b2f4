"""SQL in files, by name."""

import pytest

from splitcart_common.postgres import load_queries


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of its own with a queries file; the function writes it."""
    name = f"queries_of_{tmp_path.name.replace('-', '_')}"
    folder = tmp_path / name / "sql"
    folder.mkdir(parents=True)
    (tmp_path / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def write(text: str) -> str:
        (folder / "queries.sql").write_text(text, encoding="utf-8")
        return name

    return write


def test_texts_by_name_without_their_comments(package):
    name = package(
        "-- About this file.\n\n-- name: one\n-- What it is for.\nSELECT 1\nFROM a;\n\n-- name:  two \nSELECT 2;\n"
    )
    assert load_queries(name) == {"one": "SELECT 1\nFROM a;", "two": "SELECT 2;"}


def test_a_name_that_is_there_twice(package):
    name = package("-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;\n")
    with pytest.raises(ValueError, match=f"{name}/sql/queries.sql names one twice"):
        load_queries(name)


def test_sql_before_the_first_name(package):
    name = package("SELECT 1;\n-- name: one\nSELECT 1;\n")
    with pytest.raises(ValueError, match="has SQL before its first name"):
        load_queries(name)


def test_a_file_that_is_not_there(package):
    with pytest.raises(FileNotFoundError):
        load_queries(package(""), "sql/none.sql")


@pytest.mark.parametrize("service", ["splitcart_ingest", "splitcart_scraper", "splitcart_gateway"])
def test_the_queries_of_every_service_can_be_loaded(service):
    queries = load_queries(service)
    assert queries
    assert all(queries.values()), "a name without SQL"
