"""Natural keys, and ids that are computed."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from splitcart_common import ids

AT = datetime(2026, 9, 1, 8, tzinfo=UTC)
ENTROPY = bytes(range(10))


def test_a_store_key_is_joined_and_split():
    assert ids.store_key("aldi", "G452") == "aldi:G452"
    assert ids.split_store_key("iga:a.b_c-9") == ("iga", "a.b_c-9")
    assert ids.company_of("woolworths:1234") == "woolworths"


@pytest.mark.parametrize(
    "key",
    [
        "aldi",
        "aldi:",
        ":G452",
        "Aldi:G452",
        "aldi:G 452",
        "aldi:G452:1",
        "aldi:G452\n",
        "\naldi:G452",
        "aldi:é",
        "",
    ],
)
def test_what_is_no_store_key_is_refused(key):
    company, _, store_id = key.partition(":")
    with pytest.raises(ValueError, match="is not a store key: expected <company>:<store_id>, like aldi:G452"):
        ids.split_store_key(key)
    with pytest.raises(ValueError, match="is not a store key"):
        ids.store_key(company, store_id)


def test_a_scrape_id_is_a_uuid_of_version_7():
    made = ids.scrape_id(AT, ENTROPY)
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == int(AT.timestamp() * 1000)
    assert ids.scrape_id(AT, b"\xff" * 10).version == 7
    assert ids.scrape_id(AT, bytes(10)).version == 7


def test_a_scrape_id_follows_from_moment_and_entropy_alone():
    assert ids.scrape_id(AT, ENTROPY) == ids.scrape_id(AT, ENTROPY)
    assert ids.scrape_id(AT, ENTROPY) != ids.scrape_id(AT, bytes(10))


def test_scrape_ids_are_ordered_by_time():
    moments = [AT + timedelta(milliseconds=n) for n in range(2000)]
    made = [ids.scrape_id(moment, b"\xff" * 10 if n % 2 else bytes(10)) for n, moment in enumerate(moments)]
    assert sorted(made) == made
    assert sorted(map(str, made)) == [str(one) for one in made]


@pytest.mark.parametrize("entropy", [b"", bytes(9), bytes(11)])
def test_entropy_of_another_length_is_refused(entropy):
    with pytest.raises(ValueError, match=f"takes 10 bytes of entropy, got {len(entropy)}"):
        ids.scrape_id(AT, entropy)


def test_computed_ids_are_written_down():
    """They are on the bus: another way to compute them would make every repeat look like news."""
    scrape = UUID("01a05f09-6169-7123-8567-89abcdef0022")
    assert ids.batch_id(scrape, 1) == UUID("01073725-88a6-5d4e-bfbd-a52b17e34e2a")
    assert ids.derived_id(scrape, "store-settled") == UUID("49ac6945-b13a-56d8-8f95-5ea9c013b429")
    assert len({ids.batch_id(scrape, n) for n in range(1, 500)}) == 499
    assert ids.derived_id(scrape, "a") != ids.derived_id(scrape, "b")
