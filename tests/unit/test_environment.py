"""A function whose stack forgot a variable says which."""

import pytest

from event_aggregator import settings
from shared.environment import MissingVariable, required

COMPLETE = {
    settings.producer: {"EVENTS_TABLE": "events", "GROUP_BY": "[]", "EVENT_TTL_DAYS": "0"},
    settings.aggregator: {
        "PROCESSED_TABLE": "processed",
        "SUMMARIES_TABLE": "summaries",
        "REJECTS_QUEUE": "rejects",
    },
    settings.reader: {"SUMMARIES_TABLE": "summaries", "RANKING": "by-count"},
}
NEEDED = [(read, name) for read, variables in COMPLETE.items() for name in variables]


@pytest.fixture(autouse=True)
def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    for read, variables in COMPLETE.items():
        read.cache_clear()
        for name, value in variables.items():
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("read", "name"), NEEDED, ids=[name for _, name in NEEDED])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_named(
    read: object, name: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(MissingVariable, match=rf"\b{name}\b"):
        read()  # type: ignore[operator]


@pytest.mark.parametrize("read", COMPLETE)
def test_the_environment_is_read_once(read: object, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read()  # type: ignore[operator]
    for name in COMPLETE[read]:  # type: ignore[index]
        monkeypatch.delenv(name)
    assert read() is first  # type: ignore[operator]


def test_the_settings_have_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUP_BY", '["type", "Åsa"]')
    monkeypatch.setenv("EVENT_TTL_DAYS", "7")
    read = settings.producer()
    assert (read.group_by, read.ttl_days) == (("type", "Åsa"), 7)


def test_a_variable_that_is_there_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME", "value")
    assert required("SOME") == "value"
