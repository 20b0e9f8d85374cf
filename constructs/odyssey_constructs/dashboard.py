"""The one dashboard of a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from odyssey_constructs.function import METRICS_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odyssey_constructs.api import IamApi
    from odyssey_constructs.function import PythonFunction
    from odyssey_constructs.http_api import HttpApi
    from odyssey_constructs.queue import WorkQueue

# A dashboard is 24 units wide.
_WIDTH, _PER_ROW = 8, 3


def dashboard(
    stack: Stack,
    *,
    functions: Sequence[PythonFunction],
    counts: Sequence[str],
    api: IamApi | HttpApi | None = None,
    stream_consumer: PythonFunction | None = None,
    queues: Sequence[WorkQueue] = (),
) -> cloudwatch.Dashboard:
    """Make the stack's dashboard: alarms, business counts, edge, functions, lag.

    Args:
        stack: the stack; its alarms are all shown.
        functions: whose errors and durations are shown.
        counts: names of the business metrics its functions emit.
        api: the edge, where there is one.
        stream_consumer: whose lag behind its stream is shown.
        queues: whose oldest messages are shown.
    """
    alarms = [child for child in stack.node.find_all() if isinstance(child, cloudwatch.Alarm)]
    business = [
        cloudwatch.Metric(
            namespace=METRICS_NAMESPACE,
            metric_name=name,
            dimensions_map={"service": stack.stack_name},
            statistic="Sum",
        )
        for name in counts
    ]
    graphs = [_graph("What happened", business)]
    if api is not None:
        requests = [
            api.api.metric_count(),
            api.api.metric_client_error(),
            api.api.metric_server_error(),
        ]
        graphs.append(_graph("Requests and refusals", requests))
    graphs += [
        _graph("Errors", [each.function.metric_errors() for each in functions]),
        _graph(
            "Duration, 95 of 100 (ms)",
            [each.function.metric_duration(statistic="p95") for each in functions],
        ),
    ]
    if stream_consumer is not None:
        lag = stream_consumer.function.metric("IteratorAge", statistic="Maximum")
        graphs.append(_graph("Behind the stream (ms)", [lag]))
    if queues:
        ages = [
            each.queue.metric_approximate_age_of_oldest_message(label=each.node.id)
            for each in queues
        ]
        graphs.append(_graph("Oldest message (s)", ages))
    return cloudwatch.Dashboard(
        stack,
        "Dashboard",
        widgets=[
            [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=24)],
            *(graphs[start : start + _PER_ROW] for start in range(0, len(graphs), _PER_ROW)),
        ],
    )


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=metrics, width=_WIDTH)
