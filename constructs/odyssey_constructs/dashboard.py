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


def dashboard(
    stack: Stack,
    *,
    api: IamApi,
    functions: Sequence[PythonFunction],
    consumer: PythonFunction,
    counts: Sequence[str],
) -> cloudwatch.Dashboard:
    """Make the stack's dashboard: alarms, business counts, edge, functions, lag.

    Args:
        stack: the stack; its alarms are all shown.
        api: the edge.
        functions: whose errors and durations are shown.
        consumer: whose lag behind its stream is shown.
        counts: names of the business metrics its functions emit.
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
    return cloudwatch.Dashboard(
        stack,
        "Dashboard",
        widgets=[
            [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=24)],
            [
                _graph("What happened", business),
                _graph(
                    "Requests and refusals",
                    [
                        api.api.metric_count(),
                        api.api.metric_client_error(),
                        api.api.metric_server_error(),
                    ],
                ),
            ],
            [
                _graph("Errors", [each.function.metric_errors() for each in functions]),
                _graph(
                    "Duration, 95 of 100 (ms)",
                    [each.function.metric_duration(statistic="p95") for each in functions],
                ),
                _graph(
                    "Behind the stream (ms)",
                    [consumer.function.metric("IteratorAge", statistic="Maximum")],
                ),
            ],
        ],
    )


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=metrics, width=8)
