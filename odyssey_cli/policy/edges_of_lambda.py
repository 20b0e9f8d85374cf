"""Asynchronous edges to functions: event source mappings, and invocations nobody waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_cli.policy.allowed import Giver
from odyssey_cli.policy.edge import Edge
from odyssey_cli.policy.ends import (
    FUNCTION,
    MAPPING,
    PERMISSION,
    RETENTION,
    VISIBILITY,
    End,
    end,
    redrive,
)
from odyssey_cli.policy.rule import Fault
from odyssey_cli.policy.templates import (
    Properties,
    Template,
    as_list,
    services,
    span,
    statements_of,
    text,
    whole,
)
from odyssey_cli.policy.watching import QUEUE
from odyssey_cli.templates import referenced

if TYPE_CHECKING:
    from collections.abc import Iterator

INVOKE_CONFIG = "AWS::Lambda::EventInvokeConfig"
_STREAMS = {"AWS::DynamoDB::Table", "AWS::Kinesis::Stream", "AWS::Kinesis::StreamConsumer"}
# How long a stream of DynamoDB keeps records, and, unless told otherwise, one of Kinesis ("Change
# data capture for DynamoDB Streams" and "Changing the data retention period", 2026-11-21).
_STREAM_HOURS = 24
# The least that AWS advises for a function's queue, so that throttling alone gives nothing up, and
# the least MaximumConcurrency ("Using Lambda with Amazon SQS", 2026-11-21).
_RECEIVES, _CONCURRENCY = 5, 2
# What Lambda assumes ("CreateFunction", AWS Lambda API Reference, 2026-11-21).
_TIMEOUT = 3
_PARTIAL = "ReportBatchItemFailures"
# Who waits for the function's answer ("Invoking Lambda with events from other AWS services",
# 2026-11-21); API Gateway's one exception is found by its header.
_WAITING = {
    "apigateway.amazonaws.com",
    "appconfig.amazonaws.com",
    "cognito-idp.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "firehose.amazonaws.com",
}
_ASYNC_HEADER = "integration.request.header.X-Amz-Invocation-Type"


def mappings(template: Template) -> Iterator[Edge]:
    """Find the streams and queues from which Lambda polls."""
    for at, mapping in template.of(MAPPING).items():
        source = template.resource(mapping.get("EventSourceArn"))
        if source and template.type(source) == QUEUE:
            yield _queue_to_function(template, at, mapping, source)
        else:
            yield _stream_to_function(template, at, mapping, source)


def _queue_to_function(template: Template, at: str, mapping: Properties, queue: str) -> Edge:
    function = template.resource(mapping.get("FunctionName"), FUNCTION)
    given_up = redrive(template, queue)
    receives = whole(template.properties(queue).get("RedrivePolicy", {}).get("maxReceiveCount"))
    faults = [*given_up.faults, *_partial(at, mapping), *_on(at, mapping)]
    if receives is not None and receives < _RECEIVES:
        faults.append(
            Fault(
                queue,
                f"It gives a message up after {receives} receives, which throttling alone uses up.",
                f"Let maxReceiveCount be {_RECEIVES} or more.",
            )
        )
    faults += _visibility(template, queue, mapping, function)
    concurrency = whole(mapping.get("ScalingConfig", {}).get("MaximumConcurrency"))
    if concurrency is None or concurrency < _CONCURRENCY:
        faults.append(
            Fault(
                at,
                "A flood of messages may use up the account's concurrency.",
                "State ScalingConfig.MaximumConcurrency, 2 or more.",
            )
        )
    return Edge(
        at,
        template.label(queue),
        _target(template, mapping, function),
        "queue to function",
        tries=f"{receives} receives" if receives else "for ever",
        age=span(whole(template.properties(queue).get("MessageRetentionPeriod")) or RETENTION),
        partial=_says_partial(mapping),
        given_up=given_up.where,
        told=given_up.told,
        faults=tuple(faults),
        ends=function or "",
    )


def _visibility(
    template: Template, queue: str, mapping: Properties, function: str | None
) -> Iterator[Fault]:
    hidden = whole(template.properties(queue).get("VisibilityTimeout"))
    timeout = whole(template.properties(function).get("Timeout")) or _TIMEOUT
    window = whole(mapping.get("MaximumBatchingWindowInSeconds")) or 0
    # "Using Lambda with Amazon SQS", 2026-11-21.
    least = 6 * timeout + window
    if (VISIBILITY if hidden is None else hidden) < least:
        yield Fault(
            queue,
            "A message may come again while the function still works on it.",
            f"Let VisibilityTimeout be {least} s or more: six times the function's {timeout} s and "
            f"the batching window's {window} s.",
        )


def _stream_to_function(
    template: Template, at: str, mapping: Properties, source: str | None
) -> Edge:
    function = template.resource(mapping.get("FunctionName"), FUNCTION)
    destination = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    given_up = end(template, destination, at=at, giver=_role(template, function))
    faults = [*given_up.faults, *_partial(at, mapping), *_on(at, mapping)]
    faults += _bounds(template, at, mapping, source)
    queue = template.resource(destination, QUEUE)
    if queue and template.properties(queue).get("FifoQueue") is True:
        # "Lambda parameters for Amazon DynamoDB event source mappings", 2026-11-21.
        faults.append(
            Fault(queue, "A stream gives nothing up to a FIFO queue.", "Name a standard queue.")
        )
    if template.type(source) not in _STREAMS:
        faults.append(
            Fault(
                at,
                f"Nobody knows how a mapping from {_source(template, mapping)} is guarded.",
                "Poll a stream or queue of this stack, or say in policy/edges_of_lambda.py how.",
            )
        )
    tries, age = (
        whole(mapping.get(name)) for name in ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds")
    )
    halved = ", halved" if mapping.get("BisectBatchOnFunctionError") is True else ""
    return Edge(
        at,
        _source(template, mapping),
        _target(template, mapping, function),
        "stream to function",
        tries="for ever" if tries is None or tries < 0 else f"1 + {tries}{halved}",
        age="for ever" if age is None or age < 0 else span(age),
        partial=_says_partial(mapping),
        given_up=given_up.where,
        told=given_up.told,
        faults=tuple(faults),
        ends=function or "",
    )


def stream_seconds(template: Template, source: str | None) -> int:
    """Return how long a stream keeps its records."""
    hours = whole(template.properties(source).get("RetentionPeriodHours")) or _STREAM_HOURS
    return hours * 60 * 60


def _bounds(
    template: Template, at: str, mapping: Properties, source: str | None
) -> Iterator[Fault]:
    # -1 is for ever, and what is left out is -1 ("Lambda parameters for Amazon DynamoDB event
    # source mappings", 2026-11-21).
    tries = whole(mapping.get("MaximumRetryAttempts"))
    if tries is None or tries < 0:
        yield Fault(
            at,
            "A batch that keeps failing holds up its shard until its records expire.",
            "State MaximumRetryAttempts, 0 or more.",
        )
    age, kept = whole(mapping.get("MaximumRecordAgeInSeconds")), stream_seconds(template, source)
    if age is None or not 0 < age < kept:
        yield Fault(
            at,
            "A record may be given up when its stream has forgotten it, and cannot be redriven.",
            f"State MaximumRecordAgeInSeconds, less than the {span(kept)} of the stream.",
        )
    if mapping.get("BisectBatchOnFunctionError") is not True:
        yield Fault(
            at,
            "One record of which the function dies takes its whole batch along.",
            "Let BisectBatchOnFunctionError be true.",
        )


def _partial(at: str, mapping: Properties) -> Iterator[Fault]:
    if _PARTIAL not in as_list(mapping.get("FunctionResponseTypes")):
        yield Fault(
            at,
            "What succeeded of a batch comes again with what failed.",
            f"Let FunctionResponseTypes be [{_PARTIAL}].",
        )


def _on(at: str, mapping: Properties) -> Iterator[Fault]:
    if mapping.get("Enabled", True) is not True:
        yield Fault(at, "It is off: what waits is lost in the end.", "Let Enabled be true.")


def _says_partial(mapping: Properties) -> str:
    return "yes" if _PARTIAL in as_list(mapping.get("FunctionResponseTypes")) else "no"


def _target(template: Template, mapping: Properties, function: str | None) -> str:
    return template.label(function) if function else text(mapping.get("FunctionName"))


def _source(template: Template, mapping: Properties) -> str:
    source = template.resource(mapping.get("EventSourceArn"))
    return template.label(source) if source else text(mapping.get("EventSourceArn"))


def _role(template: Template, function: str | None) -> Giver:
    """Return who gives up on a function's behalf: Lambda, in its role."""
    return Giver(
        role=template.resource(template.properties(function).get("Role"), "AWS::IAM::Role")
    )


def attempts(template: Template, function: str | None, at: str) -> tuple[str, str, End]:
    """Return how Lambda goes on with an invocation nobody waits for: tries, age and the end."""
    configs = [
        (config_at, config)
        for config_at, config in template.of(INVOKE_CONFIG).items()
        if function in referenced(config.get("FunctionName"))
        and config.get("Qualifier") == "$LATEST"
    ]
    if not configs:
        fault = Fault(
            function or at,
            "It is invoked asynchronously, and what it fails on is gone.",
            "Give it an EventInvokeConfig with attempts, age and an on-failure destination.",
        )
        return "1 + 2", "6 h", End("nowhere", "nobody", (fault,))
    [(config_at, config), *_] = configs
    destination = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    found = end(template, destination, at=config_at, giver=_role(template, function))
    faults = list(found.faults)
    tries, age = (
        whole(config.get(name)) for name in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")
    )
    for name, value in (("MaximumRetryAttempts", tries), ("MaximumEventAgeInSeconds", age)):
        if value is None:
            faults.append(Fault(config_at, f"It does not say its {name}.", f"State {name}."))
    # What Lambda assumes ("Configuring error handling settings for asynchronous invocation",
    # 2026-11-21).
    tried = f"1 + {2 if tries is None else tries}"
    return tried, span(age or 6 * 60 * 60), End(found.where, found.told, tuple(faults))


def custom_resources(template: Template) -> Iterator[Edge]:
    """Find the functions that CloudFormation invokes.

    It does so asynchronously and waits for an answer by another way ("Using AWS Lambda with
    CloudFormation", 2026-11-21), by default for an hour.
    """
    for at, properties in template.custom_resources.items():
        function = template.resource(properties.get("ServiceToken"), FUNCTION)
        seconds = whole(properties.get("ServiceTimeout"))
        faults = []
        if seconds is None:
            faults.append(
                Fault(
                    at,
                    "CloudFormation waits an hour for a function that has died.",
                    "State ServiceTimeout, the function's own.",
                )
            )
        yield Edge(
            at,
            "CloudFormation",
            template.label(function) if function else text(properties.get("ServiceToken")),
            "custom resource",
            tries="1 + 2",
            age=span(seconds or 60 * 60),
            given_up="the stack fails",
            told="whoever deploys",
            faults=tuple(faults),
            ends=function or "",
        )


def invocations(template: Template, reached: set[str]) -> Iterator[Edge]:
    """Find other ways to invoke a function without waiting for it.

    Args:
        template: the template.
        reached: the functions that other edges lead to already; what guards those, guards these.
    """
    callers = [*_services(template), *_principals(template), *_methods(template)]
    for at, who, function in callers:
        if function in reached:
            continue
        tries, age, given_up = attempts(template, function, at)
        yield Edge(
            at,
            who,
            template.label(function),
            "invocation",
            tries=tries,
            age=age,
            given_up=given_up.where,
            told=given_up.told,
            faults=given_up.faults,
            ends=function,
        )


def _services(template: Template) -> Iterator[tuple[str, str, str]]:
    for at, permission in template.of(PERMISSION).items():
        principal = text(permission.get("Principal"))
        function = template.resource(permission.get("FunctionName"), FUNCTION)
        if function and principal not in _WAITING:
            yield at, principal, function


def _principals(template: Template) -> Iterator[tuple[str, str, str]]:
    """Yield whose own policy lets them invoke a function, which includes not waiting for it."""
    for at, statement in template.statements:
        if (
            template.type(at).startswith("AWS::IAM::")
            and statement.get("Effect") == "Allow"
            and "lambda:InvokeFunction" in as_list(statement.get("Action"))
            and not _is_of_one_who_waits(template, at)
        ):
            for function in referenced(statement.get("Resource")):
                if template.type(function) == FUNCTION:
                    yield at, template.label(at), function


def _is_of_one_who_waits(template: Template, policy: str) -> bool:
    found = {
        service
        for role in [policy, *referenced(template.properties(policy).get("Roles"))]
        for statement in statements_of(template.properties(role), "AssumeRolePolicyDocument")
        for service in services(statement)
    }
    return bool(found) and found <= _WAITING


def _methods(template: Template) -> Iterator[tuple[str, str, str]]:
    for at, method in template.of("AWS::ApiGateway::Method").items():
        integration = method.get("Integration", {})
        function = template.resource(integration.get("Uri"), FUNCTION)
        if function and "'Event'" in integration.get("RequestParameters", {}).get(
            _ASYNC_HEADER, ""
        ):
            yield at, template.label(at), function
