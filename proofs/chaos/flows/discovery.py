"""Discovery: files in by the script, moved on by the updater, verified by the service."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

from discovery import settings, updater
from discovery.announcements import UPDATED, UPLOADED, Announcement
from odyssey_cli.flows.discovery import listen, submit
from odyssey_cli.flows.discovery.documents import Document, Submission
from odyssey_cli.flows.discovery.listen import Seen, Service, Stop
from odyssey_cli.flows.discovery.submit import Outcome, Script
from proofs.chaos import faults
from proofs.chaos.history import Violation
from proofs.chaos.queues import QueueSource
from proofs.chaos.running import Stuck
from proofs.chaos.world import POISON_EVERY, REJECTS, Clouds, Poison, World, name_of
from proofs.fakes.faults import OneAtATime
from proofs.fakes.s3 import OWNER, FakeS3
from shared import times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ANNOUNCED, FOLLOWING = "https://sqs/uploaded", "https://sqs/updated"
TEXT = "Åsa café 😀 R&D C# 1+1 50% a;b %41"
# Files in one run of the script, and the seconds between two runs.
_FILES, _PACE = 30, 20.0
# Seconds until somebody runs a script again that has failed.
_AGAIN = 60.0
# Seconds between two looks of whoever keeps the service running, and for how long it then listens.
_LOOK, _IDLE = 10.0, 5
_IMPATIENT, _SCALE = 200, 1.5
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Poison of the queue that the service reads has no function to reject it.
_SERVICE = "service"


@dataclass
class Discovery(World):
    """The world of discovery.

    Attributes:
        submissions: by name.
        names: of items, by id.
        places: of items in the order in which they were announced as updated, by name.
        told: how often the service told of each item that it is verified.
        announced: how often each item was announced as updated.
        unfinished: runs of the script that have not submitted everything yet.
    """

    submissions: dict[str, Submission] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)
    announced: Counter[str] = field(default_factory=Counter)
    unfinished: int = 0

    def make_clouds(self) -> Clouds:
        """Return the stack's clouds."""
        clouds = Clouds.with_tables({"items": {}})
        self.s3 = FakeS3.with_buckets(clouds.dynamodb, "files")
        clouds.sqs.max_receives = self.deployed.receives("Discovery", "UpdatedQueue")
        return clouds

    def functions(self) -> tuple[str, ...]:
        """Return the one function."""
        return ("discovery.updater",)

    def variables(self) -> dict[str, str]:
        """Return the stack's variables."""
        return {"ITEMS_TABLE": "items", "UPDATED_QUEUE": FOLLOWING, "REJECTS_QUEUE": REJECTS}

    def make_sources(self) -> None:
        """Make the queue of uploaded items; the other one the service reads by itself."""
        self.faults.scale = _SCALE
        self.uploaded = QueueSource(
            self.machine,
            "updater",
            updater.handler,
            self.deployed.queue("discovery.updater"),
            self.name,
        )
        self.uploaded.again = self.pump

    def name(self, text: str) -> str | None:
        """Return the name of the event that a text is about."""
        found = name_of(text)
        if found is None and (item := _ID.search(text)):
            found = self.names.get(item[0])
        return found

    def restart(self) -> None:
        """Forget what the process knows of its environment."""
        settings.updater.cache_clear()

    def other_clouds(self) -> dict[str, Any]:
        """Return S3."""
        return {"s3": self.s3}

    @contextlib.contextmanager
    def _environment(self) -> Iterator[None]:
        # The queue's time is the service's, and calls have one order.
        clock = SimpleNamespace(
            monotonic=lambda: self.clouds.sqs.now, sleep=self.clouds.sqs.let_pass
        )
        with (
            mock.patch.object(listen, "time", clock),
            mock.patch.object(submit, "ThreadPoolExecutor", OneAtATime),
            super()._environment(),
        ):
            yield

    def feed(self) -> None:
        """Plan runs of the script, and look after the service."""
        at = 0.0
        due: list[Submission] = []
        for number in range(self.number):
            if number % POISON_EVERY == POISON_EVERY - 1:
                name = self.make_bad(number // POISON_EVERY)
                if name not in self.killers:
                    self.schedule.after(at, partial(self._to_queue, name))
                elif self.killers[name].source == _SERVICE:
                    self.schedule.after(at, partial(self._to_service, name))
                else:
                    due.append(self._submission(name, number))
            else:
                due.append(self._submission(f"event-{number}", number))
            if len(due) == _FILES or number == self.number - 1:
                at += _PACE * self.generator.random() * 2
                self.unfinished += 1
                self.schedule.after(at, partial(self._submit, due))
                due = []
        self.schedule.after(_LOOK, self._listen)

    def pump(self) -> None:
        """Carry announcements to where they are delivered from; the service's stay."""
        for entry in self.clouds.sqs.queues.pop(ANNOUNCED, ()):
            self.uploaded.send(entry["MessageBody"])

    def redrive(self) -> int:
        """Send all dead letters back."""
        dead, self.clouds.sqs.dead = self.clouds.sqs.dead, []
        queue = self.clouds.sqs.queues.setdefault(FOLLOWING, [])
        for place, each in enumerate(dead):
            self.history.note([self._of(each)], self.schedule.elapsed, FOLLOWING, "brought back")
            message_id = f"{place} of redrive {self.rounds}"
            queue.append({**each, "MessageId": message_id, "receives": 0, "visible": 0})
            if self.faults.keeps(_SERVICE):
                self.clouds.sqs.dead.append(each)
        done = self.uploaded.redrive(apart=self.apart)
        self.schedule.after(_LOOK, self._listen)
        return done + len(dead)

    def dead(self) -> list[str]:
        """Return the events that are given up now."""
        return [*self.uploaded.dead(), *map(self._of, self.clouds.sqs.dead)]

    def ended(self) -> dict[str, int]:
        """Return where events ended."""
        items = self.clouds.dynamodb.tables["items"].values()
        return {
            "stored": len(items),
            "updated": sum(each["version"]["N"] == "2" for each in items),
            "verified": len(self.told),
            **self.count_ended(),
        }

    def reckon(self) -> Iterator[Violation]:
        """Yield what is not as it must be."""
        items = self.clouds.dynamodb.tables["items"]
        objects = self.s3.buckets["files"]
        for name, submission in self.submissions.items():
            item = items.get(submission.document.id)
            versions = objects.get(submission.key, [])
            if item is None or item["sha256"]["S"] != submission.sha256:
                yield Violation(name, "was submitted, and its item is not stored as it is")
                continue
            if [each.content for each in versions] != [submission.content]:
                yield Violation(name, f"has {len(versions)} versions of its file")
            expected = "1" if name in self.killers else "2"
            if item["version"]["N"] != expected:
                yield Violation(name, f"has version {item['version']['N']}, not {expected}")
            if name not in self.killers and not (self.announced[name] and self.told[name]):
                what = f"announced {self.announced[name]} times, verified {self.told[name]}"
                yield Violation(name, f"is {what}")
        for item_id in items:
            if item_id not in self.names:
                yield Violation(item_id, "is stored, and nobody submitted it")
        for each in self.clouds.sqs.queues.get(FOLLOWING, []):
            yield Violation(self._of(each), "is left in the service's queue")

    def _of(self, message: dict[str, Any]) -> str:
        return self.name(message["MessageBody"]) or "unknown"

    def _submission(self, name: str, number: int) -> Submission:
        item_id = str(uuid.UUID(int=number))
        document = Document(
            id=item_id,
            manufacturer="Framework",
            model=f"{name} {TEXT}",
            year=2021,
            created_at=times.rfc3339(times.now()),
        )
        made = Submission(Path(f"{name}.json"), document, document.content(), is_new=True)
        self.submissions[name], self.names[item_id] = made, name
        return made

    def _clients(self) -> dict[str, Any]:
        return {"dynamodb": self.clouds.dynamodb, "s3": self.s3, "sqs": self.clouds.sqs}

    def _submit(self, due: Sequence[Submission], times: int = 1) -> None:
        """Run the script, and later again until it has submitted everything."""
        clients = self._clients()
        script = Script("items", "files", ANNOUNCED, OWNER, **clients, tries=lambda: range(3))
        done, trouble = self.machine.run("submit", lambda: list(script.submit(due, concurrency=1)))
        self.pump()
        changed = [each for each in done or [] if each.outcome is Outcome.CHANGED]
        if changed:
            raise Stuck(changed[0].submission.file.stem, changed[0].error)
        if trouble is None and all(each.outcome is not Outcome.FAILED for each in done):
            self.unfinished -= 1
            return
        if times == _IMPATIENT:
            raise Stuck(due[0].file.stem, "was never submitted")
        # By then most are announced and updated, and are not announced again.
        self.schedule.after(_AGAIN, partial(self._submit, due, times + 1))

    def _listen(self) -> None:
        """Run the service until there is nothing for it, and look again while there may be."""
        clients = self._clients()
        queue = self.clouds.sqs.queues.setdefault(FOLLOWING, [])
        for each in [each for each in queue if "name" not in each]:
            each["name"] = self._of(each)
            self.announced[each["name"]] += 1
            self.places.setdefault(each["name"], len(self.places))
            if self.faults.strikes(faults.DUPLICATE, faults.DUPLICATE_RATE, _SERVICE):
                hidden = self.clouds.sqs.now + self.generator.uniform(0, 60)
                queue.append({**each, "visible": hidden})
        # Its queue, too, gives messages in any order.
        self.generator.shuffle(queue)
        service = Service(
            "items", "files", FOLLOWING, OWNER, **clients,
            pace=lambda seconds: seconds, tries=lambda: range(3),
        )  # fmt: skip
        if queue:
            self.clouds.dynamodb.calls.clear()
            self.machine.run(
                _SERVICE, lambda: service.run(stop=Stop(), tell=self._tell, idle=_IDLE)
            )
        if self.clouds.sqs.queues[FOLLOWING] or self.unfinished or self.uploaded.queued:
            self.schedule.after(_LOOK, self._listen)

    def _tell(self, seen: Seen) -> None:
        name = self.names.get(seen.name, "unknown")
        if seen.verified is not None:
            self.told[name] += 1
            self.history.hand_over(_SERVICE, [self.places[name]])
        what = seen.problem or "verified"
        self.history.note([name], self.schedule.elapsed, _SERVICE, what)

    # What can never be processed.

    def kinds(self) -> list[Callable[[str], Poison]]:
        """Return what somebody announces."""
        return [
            lambda name: Poison(name, "updater", "not JSON"),
            lambda name: Poison(name, "updater", "There is no item"),
            lambda name: Poison(name, "updater", "The event's type is"),
            lambda name: Poison(name, "updater", "no 'id' that is a UUID"),
        ]

    def deadly(self) -> tuple[str, ...]:
        """Return what dies of killers, or never gets through with them."""
        return "updater", _SERVICE

    def _to_queue(self, name: str) -> None:
        """Somebody announces what is no item, or what is no announcement."""
        item_id = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
        kind = UPDATED if "type" in self.poison[name].cause else UPLOADED
        made = Announcement(kind, item_id, 1, times.now(), name).message().body
        match self.poison[name].cause:
            case "not JSON":
                made = f"{{{name}"
            case "no 'id' that is a UUID":
                made = json.dumps(json.loads(made) | {"data": {"version": 1}})
        self.uploaded.send(made, event=name)

    def _to_service(self, name: str) -> None:
        """Somebody sends the service what it can never verify, and nobody rejects for it."""
        message = {"Id": "0", "MessageBody": f"{{{name}"}
        self.clouds.sqs.send_message_batch(QueueUrl=FOLLOWING, Entries=[message])
