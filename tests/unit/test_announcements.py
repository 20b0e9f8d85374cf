"""Announcements name an item and its version; all deliveries of one are the same event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from discovery.announcements import UPDATED, UPLOADED, Announcement, is_item_id
from shared.rejects import Unprocessable
from tests.discovery import NOON, item_id, updated, uploaded

ID = item_id(1)


def changed(**data: Any) -> str:
    value = json.loads(uploaded(1))
    return json.dumps(value | {"data": value["data"] | data})


def test_an_announcement_is_read_as_it_was_sent() -> None:
    announcement = Announcement(UPDATED, ID, 2, NOON, "c1")
    assert Announcement.read(announcement.message().body, UPDATED) == announcement


def test_an_announcement_says_which_item_and_version_and_nothing_else_of_it() -> None:
    assert json.loads(updated(1)) == {
        "specversion": "1.0",
        "id": f"{ID}/2",
        "source": "/aws-odyssey/discovery",
        "type": "aws-odyssey.discovery.updated",
        "time": "2026-11-21T12:00:00.000000Z",
        "datacontenttype": "application/json",
        "correlationid": ID,
        "data": {"id": ID, "version": 2},
    }


def test_the_same_version_announced_twice_is_one_event_and_the_next_version_another() -> None:
    ids = [json.loads(body)["id"] for body in (updated(1), updated(1), updated(1, 3), updated(2))]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_fields_are_read_by_name_in_any_order_and_others_are_not_read() -> None:
    body = json.loads(uploaded(1, 7))
    body["data"] = {"more": [], "version": 7, "id": ID}
    read = Announcement.read(json.dumps(dict(reversed(body.items()))), UPLOADED)
    assert (read.item_id, read.version) == (ID, 7)


def test_an_announcement_of_another_type_is_refused() -> None:
    with pytest.raises(Unprocessable, match=r"'aws-odyssey.discovery.updated', not 'aws-.*loaded'"):
        Announcement.read(updated(1), UPLOADED)


@pytest.mark.parametrize(
    "wrong",
    [None, 1, "", "1", ID.upper().replace("0", "A"), f"{ID} ", f"{ID}\n", "../" + ID, [ID]],
    ids=repr,
)
def test_an_id_that_is_no_uuid_is_refused(wrong: object) -> None:
    assert not is_item_id(wrong)
    with pytest.raises(Unprocessable, match="no 'id' that is a UUID"):
        Announcement.read(changed(id=wrong), UPLOADED)


@pytest.mark.parametrize("wrong", [None, 0, -1, 1.0, 1.5, "1", True, [1]], ids=repr)
def test_a_version_that_is_no_whole_number_from_1_is_refused(wrong: object) -> None:
    with pytest.raises(Unprocessable, match="no 'version' that is a whole number"):
        Announcement.read(changed(version=wrong), UPLOADED)


def test_a_long_type_makes_no_long_cause() -> None:
    body = json.loads(uploaded(1)) | {"type": "t" * 100_000}
    with pytest.raises(Unprocessable) as refused:
        Announcement.read(json.dumps(body), UPLOADED)
    assert len(str(refused.value)) < 250
