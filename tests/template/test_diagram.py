"""The diagrams: every part that data passes, and every way it takes, as the templates say."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli.diagram import mermaid
from tests.template.conftest import STACKS
from tests.template.synth import synthesize

if TYPE_CHECKING:
    from pathlib import Path

PUBSUB = """
    Words[("Words")]
    Markers[("Markers")]
    SlackSecret[["SlackSecret"]]
    ApiSecret[["ApiSecret"]]
    Counted(("Counted"))
    Rejects>"Rejects"]
    Api(["Api"])
    Counter["Counter"]
    Multiplier["Multiplier"]
    MultiplierFailures>"Multiplier Failures"]
    Logger["Logger"]
    LoggerFailures>"Logger Failures"]
    Reader["Reader"]
    Speaker{{"Speaker"}}
    Api -- "POST /slack" --> Counter
    Api -- "POST /words" --> Counter
    Api -- "GET /words" --> Reader
    Api -- "GET /words/{word}" --> Reader
    Counted == "messages" ==> Multiplier
    Counted == "messages" ==> Logger
    Counted -. "given up" .-> MultiplierFailures
    Counted -. "given up" .-> LoggerFailures
    Multiplier -. "given up" .-> MultiplierFailures
    Logger -. "given up" .-> LoggerFailures
    Counter -- "BatchGetItem, UpdateItem" --> Words
    Counter -- "BatchGetItem, PutItem" --> Markers
    Counter -- "Publish" --> Counted
    Multiplier -- "UpdateItem" --> Words
    Multiplier -- "PutItem" --> Markers
    Multiplier -- "SendMessage" --> Rejects
    Logger -- "SendMessage" --> Rejects
    Reader -- "GetItem, Query" --> Words
    SlackSecret -.- Counter
    ApiSecret -.- Counter
    ApiSecret -.- Reader
    SlackSecret -.- Speaker
    ApiSecret -.- Speaker
"""

INGEST = r"""
    Lake[/"Lake"/]
    Queue>"Queue (FIFO)"]
    QueueDeadLetters>"Queue DeadLetters (FIFO)"]
    Events[("Events")]
    Bus((("Bus")))
    BusArchive[("Bus Archive")]
    Rejects>"Rejects"]
    Transformer["Transformer"]
    Stream[\"Stream"/]
    Storer["Storer"]
    Emitter["Emitter"]
    EmissionDeadLetters>"Emission DeadLetters"]
    Producer{{"Producer"}}
    Producer -- "PutRecordBatch" --> Stream
    Producer -- "SendMessage" --> Queue
    Stream == "batches" ==> Transformer
    Stream == "events/" ==> Lake
    Stream -. "errors/" .-> Lake
    Transformer -- "SendMessage" --> Queue
    Transformer -- "SendMessage" --> Rejects
    Queue == "messages" ==> Storer
    Queue -. "given up" .-> QueueDeadLetters
    Storer -- "PutItem" --> Events
    Storer -- "SendMessage" --> Rejects
    Events == "stream: INSERT" ==> Emitter
    Emitter -. "given up" .-> EmissionDeadLetters
    Emitter -- "PutEvents" --> Bus
    Emitter -- "SendMessage" --> Rejects
    Bus == "all events, 7 days" ==> BusArchive
"""
CONSUMER = """
    BusIngestevents((("bus Ingest-events")))
    Queue>"Queue"]
    QueueDeadLetters>"Queue DeadLetters"]
    Markers[("Markers")]
    Totals[("Totals")]
    Entities[("Entities")]
    Requests[("Requests")]
    Rejects>"Rejects"]
    Api(["Api"])
    Responder["Responder"]
    Reader["Reader"]
    Trigger["Trigger"]
    Api -- "GET /" --> Reader
    Api -- "GET /totals" --> Reader
    Api -- "GET /entities/{type}/{id}" --> Reader
    Api -- "POST /events" --> Trigger
    BusIngestevents == "order, device, inventory, security" ==> Queue
    BusIngestevents -. "given up" .-> QueueDeadLetters
    Queue == "messages" ==> Responder
    Queue -. "given up" .-> QueueDeadLetters
    Responder -- "PutItem" --> Markers
    Responder -- "UpdateItem" --> Totals
    Responder -- "PutItem, BatchGetItem" --> Entities
    Responder -- "SendMessage" --> Rejects
    Reader -- "BatchGetItem" --> Totals
    Reader -- "GetItem" --> Entities
    Trigger -- "PutItem" --> Requests
    Trigger -- "SendMessage" --> Queue
"""


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An assembly whose resources know where they are in the app, as the commands make it."""
    folder = tmp_path_factory.mktemp("diagrams")
    synthesize(folder, **{"aws:cdk:enable-path-metadata": True})
    return folder


def lines(diagram: str) -> list[str]:
    return sorted(line.strip() for line in diagram.splitlines() if line.strip())


def test_the_word_counter_is_drawn_with_its_routes_its_topic_and_where_failures_end(
    assembly: Path,
) -> None:
    drawn = mermaid(assembly / "PubSub.template.json")

    assert lines(drawn) == lines(f"flowchart LR\n{PUBSUB}")


def test_ingest_is_drawn_with_its_stream_its_lake_its_fifo_queue_and_its_bus(
    assembly: Path,
) -> None:
    drawn = mermaid(assembly / "Ingest.template.json")

    assert lines(drawn) == lines(f"flowchart LR\n{INGEST}")


def test_the_consumer_is_drawn_with_the_bus_of_another_stack_and_its_routes(
    assembly: Path,
) -> None:
    drawn = mermaid(assembly / "Consumer.template.json")

    assert lines(drawn) == lines(f"flowchart LR\n{CONSUMER}")


# A topic alone has no edge; tests/template/test_network_diagram.py looks at the network.
@pytest.mark.parametrize(
    "stack", [each for each in STACKS if each not in ("Operations", "Network")]
)
def test_every_end_of_an_edge_is_a_node_and_every_node_has_an_edge(
    assembly: Path, stack: str
) -> None:
    # GIVEN a diagram's edges, which have spaces around their arrows, and its nodes
    text = [
        line for line in lines(mermaid(assembly / f"{stack}.template.json")) if "flow" not in line
    ]
    edges = [line.split() for line in text if re.match(r"\w+ [-=]", line)]
    nodes = {re.split(r"\W", line)[0] for line in text if re.match(r"\w+[^\w ]", line)}
    # WHEN
    ends = {end for edge in edges for end in (edge[0], edge[-1])}
    # THEN
    assert len(edges) + len(nodes) == len(text)
    assert ends == nodes


def resource(kind: str, path: str, **properties: Any) -> dict[str, Any]:
    return {
        "Type": kind,
        "Properties": properties,
        "Metadata": {"aws:cdk:path": f"Stack/{path}/Resource"},
    }


TOPIC = resource("AWS::SNS::Topic", "News/Topic")
FUNCTION = resource("AWS::Lambda::Function", "Reader/Function", Role={"Ref": "elsewhere"})


def drawn(folder: Path, **resources: dict[str, Any]) -> list[str]:
    """Draw a template of so many resources."""
    template = folder / "template.json"
    template.write_text(json.dumps({"Resources": resources}), encoding="utf-8")
    return lines(mermaid(template))


def test_a_subscriber_of_only_some_messages_says_by_what_they_are_chosen(tmp_path: Path) -> None:
    subscription = resource(
        "AWS::SNS::Subscription",
        "Reader/Function/News",
        TopicArn={"Ref": "T"},
        Protocol="lambda",
        Endpoint={"Fn::GetAtt": ["F", "Arn"]},
        FilterPolicy={"words": [{"numeric": [">=", 20]}], "way": ["slash"]},
    )

    assert 'News == "messages, by words, way" ==> Reader' in drawn(
        tmp_path, T=TOPIC, F=FUNCTION, S=subscription
    )


def test_a_subscriber_outside_the_stack_is_not_drawn(tmp_path: Path) -> None:
    subscription = resource(
        "AWS::SNS::Subscription",
        "News/Topic/me",
        TopicArn={"Ref": "T"},
        Protocol="email",
        Endpoint="me@example.com",
    )

    assert drawn(tmp_path, T=TOPIC, S=subscription) == ['News(("News"))', "flowchart LR"]


def test_a_function_without_a_destination_gives_nothing_up(tmp_path: Path) -> None:
    attempts = resource(
        "AWS::Lambda::EventInvokeConfig", "Reader/Attempts", FunctionName={"Ref": "F"}
    )

    assert drawn(tmp_path, F=FUNCTION, A=attempts) == ['Reader["Reader"]', "flowchart LR"]


BUS = resource("AWS::Events::EventBus", "News/Bus")
QUEUE = resource("AWS::SQS::Queue", "Waiting/Queue")


def rule(**properties: Any) -> dict[str, Any]:
    queue = {"Fn::GetAtt": ["Q", "Arn"]}
    return resource("AWS::Events::Rule", "Rule", Targets=[{"Arn": queue}], **properties)


def test_a_rule_of_the_stack_s_own_bus_that_is_not_by_type_says_by_what_it_is(
    tmp_path: Path,
) -> None:
    pattern = {"source": ["shop"], "resources": ["all"]}
    own = rule(EventBusName={"Ref": "B"}, EventPattern=pattern)

    assert drawn(tmp_path, B=BUS, Q=QUEUE, R=own) == [
        'News == "events, by source, resources" ==> Waiting',
        'News((("News")))',
        'Waiting>"Waiting"]',
        "flowchart LR",
    ]


def test_a_rule_that_names_no_bus_is_of_the_account_s_default_one(tmp_path: Path) -> None:
    found = drawn(tmp_path, Q=QUEUE, R=rule(EventPattern={"detail-type": ["order"]}))

    assert 'Busdefault((("bus default")))' in found
    assert 'Busdefault == "order" ==> Waiting' in found


def test_an_archive_that_keeps_events_for_ever_names_no_days(tmp_path: Path) -> None:
    archive = resource("AWS::Events::Archive", "News/Kept", SourceArn={"Fn::GetAtt": ["B", "Arn"]})

    assert 'News == "all events" ==> NewsKept' in drawn(tmp_path, B=BUS, A=archive)


def test_a_delivery_stream_without_a_function_goes_straight_to_its_bucket(tmp_path: Path) -> None:
    bucket = resource("AWS::S3::Bucket", "Lake/Bucket")
    stream = resource(
        "AWS::KinesisFirehose::DeliveryStream",
        "Intake/Stream",
        ExtendedS3DestinationConfiguration={
            "BucketARN": {"Fn::GetAtt": ["B", "Arn"]},
            "Prefix": "all/type=!{partitionKeyFromLambda:type}/",
            "ErrorOutputPrefix": "failed/!{firehose:error-output-type}/",
        },
    )

    assert drawn(tmp_path, B=bucket, S=stream) == [
        'Intake -. "failed/" .-> Lake',
        'Intake == "all/" ==> Lake',
        'Intake[\\"Intake"/]',
        'Lake[/"Lake"/]',
        "flowchart LR",
    ]
