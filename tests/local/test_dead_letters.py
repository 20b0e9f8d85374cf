"""A message at which its function dies takes its batch along, until it is brought back apart."""

from __future__ import annotations

from odyssey_cli import failures
from odyssey_cli.failures import FailureQueue, Kind, Result
from tests.local.sources import REPORTING, Bench, eventually

# As at the end of its memory: nobody is left to report anything.
DIES = 'if "killer" in names: import os; os._exit(1)\nreturn report()'


def test_what_died_with_a_killer_is_processed_when_it_is_brought_back_apart(bench: Bench) -> None:
    # GIVEN a batch that was given up because its function dies of one message
    url, arn, dead = bench.queue_with_dead_letters(1, VisibilityTimeout="20")
    mapping = bench.map(arn, bench.function(DIES), Enabled=False, **REPORTING)
    functions = bench.target.client("lambda")
    names = ["1", "killer", "3"]
    bench.send(url, *names)
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    # No receive in between, which would come before the redrive.
    assert eventually(lambda: bench.count(dead), 3, seconds=20) == 3
    found = functions.get_event_source_mapping(UUID=mapping)
    queue = FailureQueue(dead, Kind.DEAD_LETTERS, (found,), source=url, max_receives=1)

    # WHEN
    done = list(failures.redrive_all(bench.target, queue, apart=True))

    # THEN only the killer failed, and waits alone
    failed = [each for each in done if each.result is not Result.DONE]
    assert [each.failure.message["Body"] for each in failed] == ["killer"]
    assert failed[0].detail
    assert bench.bodies(dead) == ["killer"]
    assert (bench.count(dead), bench.count(url)) == (1, 0)

    # AND each was tried by itself
    sent = bench.sent(found["FunctionArn"])
    assert sorted(batch for batch in sent if len(batch) == 1) == [["1"], ["3"], ["killer"]]
