"""The intake and the consumer by themselves, under other names and with options."""

from __future__ import annotations

import gzip
import json
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App

from app import context_defaults
from odyssey_cli import cdk
from odyssey_cli.flows.http import SignedClient
from odyssey_constructs.config import Config
from shared import times
from shared.times import rfc3339
from stacks.consumer import Consumer
from stacks.ingest import Ingest
from tests.local.intake import PATIENCE, event
from tests.local.sources import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.target import Target

BY_TYPE, ALONE = "IngestByType", "ConsumerAlone"
TTL_DAYS = 30


@pytest.fixture(scope="module")
def variants(deployed: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The cloud with an intake that has a folder for each type, and a consumer without intake."""
    context = context_defaults() | {
        "ingest_dynamic_partitioning": True,
        "ingest_event_ttl_days": TTL_DAYS,
    }
    config = Config.from_context(context)
    folders = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ODYSSEY_TARGET", "local")
        for stack, name in ((Ingest, BY_TYPE), (Consumer, ALONE)):
            folders[name] = tmp_path_factory.mktemp(name)
            app = App(
                outdir=str(folders[name]),
                context=context,
                builtin_cloud_formation_validation=False,
            )
            stack(app, name, config=config)
            app.synth()
    with ThreadPoolExecutor() as pool:
        both = folders.items()
        list(pool.map(lambda each: cdk.deploy(deployed, each[1], [each[0]]), both))
        yield deployed
        list(pool.map(lambda each: cdk.destroy(deployed, each[1], [each[0]]), both))


def test_a_consumer_without_an_intake_reacts_to_the_default_bus(variants: Target) -> None:
    # GIVEN an envelope that somebody else puts on the default bus, twice
    subject = f"s-{uuid.uuid4().hex[:10]}"
    envelope = {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": "/somebody",
        "type": "device",
        "subject": subject,
        "time": rfc3339(times.now()),
        "correlationid": "c1",
        "data": {"celsius": 21.5, "place": "Åsa café 😀"},
    }
    entry = {"Source": "/somebody", "DetailType": "device", "Detail": json.dumps(envelope)}
    # WHEN
    answer = variants.client("events").put_events(
        Entries=[entry, entry, entry | {"DetailType": "another"}]
    )
    assert answer["FailedEntryCount"] == 0
    # THEN the consumer has its state, and has counted it once
    outputs = variants.outputs(ALONE)
    api = SignedClient(outputs["ApiUrl"], variants.session)
    path = f"entities/device/{subject}"
    assert eventually(lambda: api.request("GET", path).status, 200, PATIENCE) == 200
    assert api.request("GET", path).body["state"] == envelope["data"]
    counted = {"order": 0, "device": 1, "inventory": 0, "security": 0}
    assert api.request("GET", "totals").body == {"totals": counted}


def test_a_lake_by_type_has_a_folder_for_each(variants: Target) -> None:
    # GIVEN events of two types, and one that nobody knows but the lake
    outputs = variants.outputs(BY_TYPE)
    made = [
        replace(event(number), type=kind)
        for number, kind in enumerate(["order", "device", "order", "by-hand.1", "device"])
    ]
    # WHEN
    put = variants.client("firehose").put_record_batch(
        DeliveryStreamName=outputs["DeliveryStreamName"],
        Records=[{"Data": each.record()} for each in made],
    )
    assert put["FailedPutCount"] == 0

    # THEN each is in the folder of its type and day
    def lake() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key, line in lines(variants, outputs["LakeBucket"], outputs["EventsPrefix"]):
            day = r"year=\d{4}/month=\d\d/day=\d\d"
            folder = re.fullmatch(rf"events/type=([^/]+)/{day}/[^/]+\.gz", key)
            assert folder, key
            found.setdefault(folder[1], []).append(line["id"])
        return found

    expected: dict[str, list[str]] = {}
    for each in made:
        expected.setdefault(each.type, []).append(each.id)
    assert eventually(lake, expected, PATIENCE) == expected

    # AND what is stored is so for a time
    def stored() -> dict[str, int]:
        found = variants.client("dynamodb").scan(
            TableName=outputs["EventsTable"], ConsistentRead=True
        )
        return {e["event"]["M"]["id"]["S"]: int(e["expires_at"]["N"]) for e in found["Items"]}

    ids = {each.id for each in made}
    assert eventually(lambda: {*stored()}, ids, PATIENCE) == ids
    expires = time.time() + TTL_DAYS * 24 * 3600
    assert all(abs(each - expires) < 300 for each in stored().values())


def lines(target: Target, bucket: str, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the lines below a prefix, each with its object's key."""
    s3 = target.client("s3")
    for each in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
        body = s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
        for line in gzip.decompress(body).splitlines():
            yield each["Key"], json.loads(line)
