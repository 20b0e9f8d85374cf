"""The diagrams: every part that data passes, and every way it takes, as the templates say."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli.diagram import mermaid
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


@pytest.mark.parametrize("stack", ["EventAggregator", "Discovery", "PubSub"])
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
