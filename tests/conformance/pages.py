"""The AWS pages that the cases follow, as read on 2026-11-21."""

from __future__ import annotations

from dataclasses import dataclass

_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/"
_SNS = "https://docs.aws.amazon.com/sns/latest/dg/"
_GATEWAY = "https://docs.aws.amazon.com/apigateway/latest/developerguide/"
_SQS = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/"


@dataclass(frozen=True)
class Page:
    """A page of AWS's documentation."""

    title: str
    url: str
    read: str = "2026-11-21"


DYNAMODB = Page("Using AWS Lambda with Amazon DynamoDB", f"{_LAMBDA}with-ddb.html")
DYNAMODB_PARAMETERS = Page(
    "Lambda parameters for Amazon DynamoDB event source mappings",
    f"{_LAMBDA}services-ddb-params.html",
)
DYNAMODB_PARTIAL = Page(
    "Configuring partial batch response with DynamoDB and Lambda",
    f"{_LAMBDA}services-ddb-batchfailurereporting.html",
)
DYNAMODB_DISCARDED = Page(
    "Retain discarded records for a DynamoDB event source in Lambda",
    f"{_LAMBDA}services-dynamodb-errors.html",
)
BATCHING = Page(
    "How Lambda processes records from stream and queue-based event sources",
    f"{_LAMBDA}invocation-eventsourcemapping.html",
)
BATCH_SIZE = Page(
    "CreateEventSourceMapping: BatchSize, MaximumBatchingWindowInSeconds",
    "https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html",
)
FILTERING = Page(
    "Control which events Lambda sends to your function", f"{_LAMBDA}invocation-eventfiltering.html"
)
QUEUES = Page("Using Lambda with Amazon SQS", f"{_LAMBDA}with-sqs.html")
QUEUE_PARAMETERS = Page(
    "Lambda parameters for Amazon SQS event source mappings",
    f"{_LAMBDA}services-sqs-parameters.html",
)
QUEUE_ERRORS = Page(
    "Handling errors for an SQS event source in Lambda", f"{_LAMBDA}services-sqs-errorhandling.html"
)
VISIBILITY = Page("Amazon SQS visibility timeout", f"{_SQS}sqs-visibility-timeout.html")
DEAD_LETTERS = Page("Using dead-letter queues in Amazon SQS", f"{_SQS}sqs-dead-letter-queues.html")
FIFO = Page("FIFO queue delivery logic", f"{_SQS}FIFO-queues-understanding-logic.html")
ASYNC_ERRORS = Page(
    "How Lambda handles errors and retries with asynchronous invocation",
    f"{_LAMBDA}invocation-async-error-handling.html",
)
ASYNC_SETTINGS = Page(
    "Configuring error handling settings for Lambda asynchronous invocations",
    f"{_LAMBDA}invocation-async-configuring.html",
)
ASYNC_RECORDS = Page(
    "Capturing records of Lambda asynchronous invocations",
    f"{_LAMBDA}invocation-async-retain-records.html",
)
SNS_RETRIES = Page(
    "Amazon SNS message delivery retries", f"{_SNS}sns-message-delivery-retries.html"
)
SNS_DEAD_LETTERS = Page("Amazon SNS dead-letter queues", f"{_SNS}sns-dead-letter-queues.html")
HTTP_API = Page(
    "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway",
    f"{_GATEWAY}http-api-develop-integrations-lambda.html",
)
HTTP_API_ERRORS = Page(
    "Troubleshooting issues with HTTP API Lambda integrations",
    f"{_GATEWAY}http-api-troubleshooting-lambda.html",
)
