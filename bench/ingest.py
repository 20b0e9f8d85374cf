"""Rows `calls` and `cost` of the intake and its consumer: what an event asks, and what it costs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from bench import ingest_load
from bench.events import TRICKLE
from bench.figures import RATIO, Row
from bench.ingest_load import Fed, Job, Load
from bench.processes import project_environment, run
from odyssey_cli import paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.load import Counts
    from bench.template import Template

FUNCTIONS = {
    "transformer": ingest_load.TRANSFORMER,
    "storer": ingest_load.STORER,
    "emitter": ingest_load.EMITTER,
    "responder": ingest_load.RESPONDER,
}
# Each is fed as a whole, at some milliseconds an event.
LOADS = (1_000, 10_000)
CALLS_BUDGET, LAKE_BUDGET = 110, 0.5
# How many entities of each type the responder is told of: a new one with every event is the worst.
ENTITIES, WORST = 50, 0
MIB = 1024 * 1024


@dataclass(frozen=True)
class Measured:
    """Counts of all loads.

    Attributes:
        loads: of the generator's own entities in full batches, by number of events.
        entities: of a thousand events about other numbers of entities of each type.
        trickle: of events that come one at a time.
        batch_sizes: of the event source mappings, by name of the function.
        memory: of each function, in GB, by its name.
        markers: the name of the responder's table of markers.
        archive_days: for how many the bus's archive keeps events.
    """

    loads: Mapping[int, Fed]
    entities: Mapping[int, Fed]
    trickle: Fed
    batch_sizes: Mapping[str, int]
    memory: Mapping[str, float]
    markers: str
    archive_days: int


def measure(ingest: Template, consumer: Template) -> Measured:
    """Feed all loads, in a process of its own (about half a minute)."""
    template = dict.fromkeys(FUNCTIONS, ingest) | {"responder": consumer}
    batch_sizes = {
        name: template[name].batch_size(module)
        for name, module in FUNCTIONS.items()
        if name != "transformer"
    }
    function_buffer, object_buffer = buffers(ingest)
    others = {number: Load(LOADS[0], entities=number) for number in (WORST, ENTITIES)}
    job = Job(
        environments={
            module: template[name].environment(module) for name, module in FUNCTIONS.items()
        },
        indexes=ingest.indexes() | consumer.indexes(),
        keys=ingest.keys() | consumer.keys(),
        batch_sizes={FUNCTIONS[name]: size for name, size in batch_sizes.items()},
        function_buffer=function_buffer,
        object_buffer=object_buffer,
        loads=[*map(Load, LOADS), *others.values(), Load(TRICKLE, together=False)],
    )
    _, output = run(
        [sys.executable, "-P", "-m", "bench.ingest_load"],
        cwd=paths.ROOT, environment=project_environment(), stdin=json.dumps(asdict(job)),
    )  # fmt: skip
    fed = [Fed.read(each) for each in json.loads(output)]
    return Measured(
        loads=dict(zip(LOADS, fed, strict=False)),
        entities=dict(zip(others, fed[len(LOADS) :], strict=False)),
        trickle=fed[-1],
        batch_sizes=batch_sizes,
        memory={name: template[name].memory(module) for name, module in FUNCTIONS.items()},
        markers=consumer.environment(FUNCTIONS["responder"])["MARKERS_TABLE"],
        archive_days=_archive_days(ingest),
    )


def buffers(ingest: Template) -> tuple[int, int]:
    """Return how many bytes the stream's function gets at most, and an object has."""
    [stream] = ingest.of_type("AWS::KinesisFirehose::DeliveryStream").values()
    destination = stream["ExtendedS3DestinationConfiguration"]
    [processor] = destination["ProcessingConfiguration"]["Processors"]
    parameters = {each["ParameterName"]: each["ParameterValue"] for each in processor["Parameters"]}
    in_objects = destination["BufferingHints"]["SizeInMBs"]
    return int(float(parameters["BufferSizeInMBs"]) * MIB), int(in_objects * MIB)


def _archive_days(ingest: Template) -> int:
    [archive] = ingest.of_type("AWS::Events::Archive").values()
    return int(archive["RetentionDays"])


def call_rows(measured: Measured) -> Iterator[Row]:
    """Return how many AWS calls the functions make, and what is written to the lake."""
    fed = measured.loads[LOADS[0]]
    for name in FUNCTIONS:
        counts: Counts = getattr(fed, name)
        trickle: Counts = getattr(measured.trickle, name)
        other = f"{_per_thousand(trickle):,.0f} one at a time"
        if name == "responder":
            counts = measured.entities[WORST].responder
            common = _per_thousand(measured.entities[ENTITIES].responder)
            other = (
                f"{common:g} at {ENTITIES} entities of each type, {_per_thousand(fed.responder):g} "
                f"at the generator's own; {other}"
            )
        yield Row(
            row=f"AWS calls per 1,000 events, {name}",
            figure=_per_thousand(counts),
            unit="calls",
            budget=CALLS_BUDGET,
            measured=", ".join(f"{count:,} {call}" for call, count in counts.calls.items()),
            other=other,
            detail=_how(name, measured, counts),
        )
    lake = fed.lake
    yield Row(
        row="lake bytes per 1,000 events, gzipped ÷ as put",
        figure=lake.zipped / lake.put,
        unit=RATIO,
        budget=LAKE_BUDGET,
        measured=f"{_kilobytes(lake.zipped)} gzipped",
        other=f"{_kilobytes(lake.put)} as put, {_kilobytes(lake.lines)} as JSON lines",
        detail=f"the generator's mix, {lake.lines / fed.events:.0f} bytes a line, of which "
        f"{(lake.lines - lake.put) / fed.events:.0f} are the envelope; "
        f"{lake.lines / lake.zipped:.1f} to 1 of the lines in {_objects(lake.objects)}, "
        f"compressed as Python's gzip does",
    )


def _how(name: str, measured: Measured, counts: Counts) -> str:
    if name == "transformer":
        batches = (
            f"{counts.invocations} batches as full as the stream's buffer for the function allows"
        )
    else:
        batches = (
            f"full batches of {measured.batch_sizes[name]:,}, as the event source mapping says"
        )
    text = {
        "transformer": "ten messages to a SendMessageBatch, a rest for each batch",
        "storer": "a transaction for each batch; a FIFO queue has none of more than ten",
        "emitter": "ten events to a PutEvents",
        "responder": "a transaction holds a hundred actions: an event's marker, its entity's state "
        "and its type's total. Measured is the worst case, every event of another entity",
    }[name]
    return f"{batches}, counted in boto3's own client; {text}"


def _per_thousand(counts: Counts) -> float:
    return sum(counts.calls.values()) * 1_000 / counts.events


def _kilobytes(size: int) -> str:
    return f"{size / 1000:,.0f} kB"


def _objects(number: int) -> str:
    return "one object" if number == 1 else f"{number} objects"
