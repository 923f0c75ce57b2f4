from datetime import UTC, datetime, timedelta, timezone

import pytest

from splitcart_common.settings import Settings
from splitcart_common.turns import Turns

DAY = timedelta(days=1)
WEDNESDAY = datetime(2026, 9, 2, tzinfo=UTC)


def test_the_turn_is_the_latest_one_at_or_before_a_moment():
    turns = Turns.parse("wed 00:00")
    assert turns.last("aldi", WEDNESDAY) == WEDNESDAY
    assert turns.last("aldi", WEDNESDAY - timedelta(seconds=1)) == WEDNESDAY - 7 * DAY
    assert turns.last("aldi", WEDNESDAY + 6 * DAY) == WEDNESDAY
    late = Turns.parse("tue 14:00")
    assert late.last("aldi", WEDNESDAY) == WEDNESDAY - timedelta(hours=10)
    assert late.last("aldi", WEDNESDAY - timedelta(hours=11)) == WEDNESDAY - timedelta(days=7, hours=10)


def test_a_turn_is_of_utc_whatever_the_zone_of_the_question():
    sydney = timezone(timedelta(hours=10))
    assert Turns.parse("wed 00:00").last("aldi", WEDNESDAY.astimezone(sydney)) == WEDNESDAY


def test_a_company_may_have_a_turn_of_its_own():
    turns = Turns.parse("wed 00:00,coles=tue 14:00")
    assert turns.last("coles", WEDNESDAY) == WEDNESDAY - timedelta(hours=10)
    assert turns.last("aldi", WEDNESDAY) == WEDNESDAY
    assert Turns.parse(str(turns)) == turns


@pytest.mark.parametrize(
    "text", ["", "wednesday", "wed 24:00", "wed 00:60", "xyz 00:00", "coles=wed 00:00", "wed"]
)
def test_what_is_no_turn_is_refused_with_how_it_is_written(text):
    with pytest.raises(ValueError, match="wed 00:00"):
        Turns.parse(text)


def test_two_turns_for_all_companies_are_refused():
    with pytest.raises(ValueError, match="two turns"):
        Turns.parse("wed 00:00,tue 00:00")


def test_the_setting_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("SPLITCART_TURNS", "wed 00:00,coles=tue 14:00")
    assert str(Settings().turns) == "wed 00:00,coles=tue 14:00"
