"""Old versions are lifted one step at a time."""

import pytest

from splitcart_common import upcasts
from splitcart_common.topics import EVENT_TYPES
from splitcart_common.upcasts import STEPS, lift


def test_there_is_a_step_from_every_version_but_the_newest():
    wanted = {(kind, at) for kind, event in EVENT_TYPES.items() for at in range(1, event.VERSION)}
    assert wanted == set(STEPS)


def test_steps_are_applied_in_order(monkeypatch):
    monkeypatch.setattr(
        upcasts,
        "STEPS",
        {("thing", at): lambda old, at=at: {**old, "walked": [*old.get("walked", []), at]} for at in (1, 2, 3)},
    )
    assert lift("thing", 1, 4, {"kept": True}) == {"kept": True, "walked": [1, 2, 3]}
    assert lift("thing", 3, 4, {}) == {"walked": [3]}
    assert lift("thing", 4, 4, {"as": "it is"}) == {"as": "it is"}


def test_a_step_that_is_missing_is_named():
    with pytest.raises(KeyError, match=r"store-discovered.*0"):
        lift("store-discovered", 0, 2, {})


@pytest.mark.parametrize(
    ("old", "new"),
    [("-33.88", -33.88), ("", None), (None, None), (" 7 ", 7.0), (5, 5.0)],
)
def test_coordinates_of_stores_become_numbers(old, new):
    before = {"name": "x", "lat": old}
    assert lift("store-discovered", 1, 2, before) == {"name": "x", "lat": new, "lon": None}
    assert before == {"name": "x", "lat": old}, "a step changes nothing in place"
