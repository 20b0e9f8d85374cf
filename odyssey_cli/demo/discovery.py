"""Drives discovery as its users would, and checks file and state of every item."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from odyssey_cli import breaking, failures
from odyssey_cli.demo import people
from odyssey_cli.demo.checks import expect
from odyssey_cli.demo.discovery_clients import refused_calls
from odyssey_cli.demo.waiting import until, wait_for_failures, waiting
from odyssey_cli.flows.discovery import STACK, documents, settings
from odyssey_cli.flows.discovery.listen import Seen, Service, Stop
from odyssey_cli.flows.discovery.submit import Outcome, Script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from odyssey_cli.demo.checks import Checks
    from odyssey_cli.target import Target

STACKS = [STACK]
_ITEMS, _CONCURRENCY, _UNANNOUNCED = 200, 4, 20
HOSTILE = documents.Wanted("Åsa café 😀", "R&D C# 1+1 50% a;b %41", 2026)


class Drive:
    """The flow under test, with its service running.

    Attributes:
        target: where it is deployed, with the deployer's credentials.
        outputs: of the stack.
        script: in the script's own role, which a member of the stack's group assumes.
        files: where the script writes.
        saved: where the service saves what it has verified.
        submitted: all documents so far.
        seen: what the service said of each item last.
        malformed: the messages that can never be processed, by cause.
        unannounced: items that were updated while they could not be announced.
    """

    def __init__(self, target: Target, member: Target) -> None:
        self.target = target
        self.outputs = target.outputs(STACK)
        self.script = Script.at(settings.for_script(member, settings.Given()))
        self.files, self.saved = (target.state / "files" / name for name in ("sent", "saved"))
        self.files.mkdir(parents=True)
        self.submitted: list[documents.Submission] = []
        self.seen: dict[str, Seen] = {}
        self.malformed: dict[str, str] = {}
        self.unannounced: dict[str, dict[str, Any]] = {}
        self._service = Service.at(settings.for_service(member, settings.Given()))
        self._stop = Stop()
        self._ended: list[BaseException] = []

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Let the service run while the block does."""
        thread = threading.Thread(target=self._serve, name="service", daemon=True)
        thread.start()
        try:
            yield
        finally:
            # It looks up at the end of a long poll, which is a second here.
            self._stop.requested = True
            thread.join()

    def _serve(self) -> None:
        try:
            self._service.run(stop=self._stop, tell=self._see, out=self.saved)
        except BaseException as error:  # noqa: BLE001 - said by whoever waits for it
            self._ended.append(error)

    def _see(self, seen: Seen) -> None:
        self.seen[seen.name] = seen

    def write(self, name: str, count: int, wanted: documents.Wanted) -> list[documents.Submission]:
        """Write documents; return them."""
        made = [documents.write(self.files, each, wanted) for each in documents.names(name, count)]
        self.submitted += made
        return made

    def submit(self, made: list[documents.Submission], expected: Outcome) -> None:
        """Submit documents, all with the same outcome."""
        done = list(self.script.submit(made, concurrency=_CONCURRENCY))
        outcomes = {f"{each.outcome} {each.error}".strip() for each in done}
        expect(len(done) == len(made) and outcomes == {expected}, f"they were {outcomes}")

    def wait_until_verified(self, made: list[documents.Submission]) -> None:
        """Wait until the service has verified these."""
        ids = {each.document.id for each in made}

        def left() -> set[str]:
            return ids - {name for name, seen in list(self.seen.items()) if seen.verified}

        until(lambda: bool(self._ended) or not left())
        if self._ended:
            raise RuntimeError("The service ended.") from self._ended[0]
        problems = {self.seen[each].problem for each in left() if each in self.seen}
        expect(not left(), f"{len(left())} of {len(made)} were not verified: {problems}")

    def items(self) -> dict[str, dict[str, Any]]:
        """Return all items as they are now."""
        pages = self.target.client("dynamodb").get_paginator("scan")
        return {
            item["id"]["S"]: item
            for page in pages.paginate(TableName=self.outputs["ItemsTable"], ConsistentRead=True)
            for item in page["Items"]
        }

    def versions(self) -> list[str]:
        """Return the key of every version of every object."""
        pages = self.target.client("s3").get_paginator("list_object_versions")
        return sorted(
            version["Key"]
            for page in pages.paginate(Bucket=self.outputs["FilesBucket"])
            for version in page.get("Versions", [])
        )

    def send(self, bodies: list[str]) -> None:
        """Put messages into the queue of uploaded items, as anybody with a mistake might."""
        sqs = self.target.client("sqs")
        for body in bodies:
            sqs.send_message(QueueUrl=self.outputs["UploadedQueueUrl"], MessageBody=body)


def run(target: Target, checks: Checks) -> None:
    """Make all checks of the flow; the stack is deployed and empty."""
    with people.member(target, "demo-member", STACK) as member:
        drive = Drive(target, member)
        with drive.serving():
            for name, step in STEPS:
                with checks.check(name) as check:
                    check.detail = step(drive)


def malformed(item_id: str) -> dict[str, str]:
    """Return ten messages that can never be processed, by the cause they must get."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": "1",
        "source": "/demo",
        "type": "aws-odyssey.discovery.uploaded",
        "time": "2026-11-21T00:00:00Z",
        "correlationid": "demo",
        "data": {"id": item_id, "version": 1},
    }
    unknown = str(uuid.uuid4())

    def with_(**changes: object) -> str:
        return json.dumps(event | changes)

    return {
        "The body is not JSON": "laptop.json",
        "The body is not a JSON object.": "[1]",
        "The field 'id' appears twice": '{"id":"1","id":"2"}',
        "NaN is not a JSON number.": '{"data":NaN}',
        "specversion is not 1.0": with_(specversion="0.3"),
        "no text 'type'": with_(type=7),
        "The event's type is 'other'": with_(type="other"),
        "no 'id' that is a UUID": with_(data={"version": 1}),
        f"There is no item {unknown}.": with_(data={"id": unknown, "version": 1}),
        # 1 or 2, whether the item is updated before or after this is looked at.
        ", not 7.": with_(data={"id": item_id, "version": 7}),
    }


def _many_items(drive: Drive) -> str:
    # GIVEN ten malformed messages, one of them about an item whose script is not done yet
    made = drive.write("åsa 😀.json", 1, HOSTILE)
    items = drive.target.client("dynamodb")
    items.put_item(TableName=drive.outputs["ItemsTable"], Item=made[0].item())
    drive.malformed = malformed(made[0].document.id)
    drive.send(list(drive.malformed.values()))
    # WHEN the others come among them, and the service runs
    begun = time.monotonic()
    made += drive.write("laptop.json", _ITEMS - 1, documents.Wanted())
    drive.submit(made, Outcome.SUBMITTED)
    drive.wait_until_verified(made)
    seconds = time.monotonic() - begun
    # THEN every file is the one submitted, byte for byte, and every state has moved on
    different = [each.key for each in made if (drive.saved / each.key).read_bytes() != each.content]
    expect(not different, f"other files came back: {different[:3]}")
    expect(drive.versions() == sorted(each.key for each in made), "other objects are stored")
    found = drive.items()
    states = {(item["status"]["S"], item["version"]["N"]) for item in found.values()}
    expect(states == {("updated", "2")}, f"the states are {states}")
    expect(found.keys() == {each.document.id for each in made}, f"there are {len(found)} items")
    return f"{len(made) / seconds:.0f} a second; files byte for byte, uploaded → updated"


def _malformed_messages(drive: Drive) -> str:
    causes = drive.malformed
    rejected = wait_for_failures(
        drive.target, STACK, failures.Kind.REJECTS, lambda found: len(found) >= len(causes)
    )
    said = [each.cause for each in rejected]
    expect(len(said) == len(causes), f"{len(said)} were rejected: {said}")
    missing = [cause for cause in causes if not any(cause in each for each in said)]
    expect(not missing, f"nothing was rejected because: {missing}")
    bodies = {each.body["body"] for each in rejected}
    expect(bodies == set(causes.values()), "other messages than those were rejected")
    failures.release(drive.target, rejected)
    left = waiting(drive.target, STACK, failures.Kind.DEAD_LETTERS)
    expect(not left, f"{len(left)} messages were given up")
    return f"{len(said)} causes, e.g. {said[0]}"


def _again(drive: Drive) -> str:
    before = drive.versions(), drive.items()
    again = [
        documents.write(drive.files, each.file.name, documents.Wanted()) for each in drive.submitted
    ]
    expect([each.content for each in again] == [s.content for s in drive.submitted], "new content")
    drive.submit(again, Outcome.KNOWN)
    expect((drive.versions(), drive.items()) == before, "items or objects have changed")
    return f"{len(again)} files known, no item or object changed"


def _least_privilege(drive: Drive) -> str:
    refused = refused_calls(drive.target, drive.outputs, drive.submitted[0].key)
    allowed = [name for name, code in refused.items() if code != "AccessDenied"]
    expect(not allowed, f"not refused: {', '.join(f'{n} ({refused[n]})' for n in allowed)}")
    return f"{len(refused)} calls tried, each AccessDenied"


def _unannounced(drive: Drive) -> str:
    with breaking.denied(drive.target, STACK, "Updater", "sqs:SendMessage"):
        made = drive.write("unannounced.json", _UNANNOUNCED, documents.Wanted())
        drive.submit(made, Outcome.SUBMITTED)
        ids = {each.document.id for each in made}
        until(lambda: all(drive.items()[each]["version"]["N"] == "2" for each in ids))
        # Soon after the block they are.
        announced = ids & drive.seen.keys()
        drive.unannounced = {each: drive.items()[each] for each in ids}
    versions = {item["version"]["N"] for item in drive.unannounced.values()}
    expect(versions == {"2"}, f"the versions are {versions}")
    expect(not announced, "some were announced all the same")
    return f"{len(made)} at version 2, none of them announced"


def _another_file(drive: Drive) -> str:
    # GIVEN somebody else's file in the place of the one submitted
    s3 = drive.target.client("s3")
    [made] = drive.write("changed.json", 1, documents.Wanted())
    place = {"Bucket": drive.outputs["FilesBucket"], "Key": made.key}
    s3.put_object(**place, Body=b"{}", ChecksumAlgorithm="SHA256")
    # WHEN it is submitted, THEN it is never verified, and given up
    drive.submit([made], Outcome.SUBMITTED)
    given_up = wait_for_failures(drive.target, STACK, failures.Kind.DEAD_LETTERS, bool)
    expect(len(given_up) == 1, f"{len(given_up)} messages were given up")
    seen = drive.seen[made.document.id]
    expect(seen.problem.startswith("The file is not the one submitted"), seen.problem)
    # and WHEN the right file is there and the message is redriven, THEN it is
    s3.put_object(**place, Body=made.content, ChecksumAlgorithm="SHA256")
    redriven = failures.redrive(drive.target, given_up[0])
    expect(redriven.result is failures.Result.DONE, f"{redriven.result} {redriven.detail}")
    drive.wait_until_verified([made])
    return f"{seen.problem} Given up after {seen.receives} tries; redriven"


def _announced_later(drive: Drive) -> str:
    made = [each for each in drive.submitted if each.document.id in drive.unannounced]
    drive.wait_until_verified(made)
    now = {each: drive.items()[each] for each in drive.unannounced}
    expect(now == drive.unannounced, "some were updated again")
    return f"{len(made)} verified, each updated once"


def _every_item(drive: Drive) -> str:
    items, verified = drive.items(), {each for each, seen in drive.seen.items() if seen.verified}
    ids = {each.document.id for each in drive.submitted}
    expect(items.keys() == verified == ids, f"{len(items)} items, {len(verified)} verified")
    left = waiting(drive.target, STACK, failures.Kind.DEAD_LETTERS)
    expect(not left, f"{len(left)} messages are given up")
    return f"{len(ids)} files, items and verifications; no dead letters"


STEPS: list[tuple[str, Callable[[Drive], str]]] = [
    (
        f"{_ITEMS} submissions at concurrency {_CONCURRENCY}: each the same file, a changed state",
        _many_items,
    ),
    ("10 malformed messages among them are rejected with causes", _malformed_messages),
    ("what is submitted again changes nothing", _again),
    ("the script cannot read, the service cannot write", _least_privilege),
    ("an updater that may not announce updates each item once", _unannounced),
    ("another file in the place of one submitted is found out", _another_file),
    ("what could not be announced is, once it can be", _announced_later),
    ("at the end every file has been verified", _every_item),
]
