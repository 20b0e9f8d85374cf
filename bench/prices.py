"""What AWS charges in us-east-1 (N. Virginia), in USD, as far as it could be confirmed.

Prices were looked up on 2026-11-21 in stored copies of public pages. `sure` says in what:

- `AWS page`: a page of AWS's own says it;
- `quoted`: AWS's page shows the number only through a script, so several current pages of
  others that quote it agree;
- `not confirmed`: from memory; check it before you rely on it.

First tier of each price, free tiers not deducted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DATE = "2026-11-21"
REGION = "us-east-1"
# What AWS's own examples count ("AWS Pricing Calculator: assumptions").
HOURS_A_MONTH = 730


@dataclass(frozen=True, kw_only=True)
class Price:
    """One price.

    Attributes:
        service: that charges it.
        usd: for `per` units.
        per: how many units that buys.
        unit: what is counted.
        page: the title of AWS's pricing page.
        sure: how it was confirmed.
        free: what is free each month for an account, in units; 0 if nothing is for ever.
        note: what else matters.
    """

    service: str
    usd: float
    per: float = 1
    unit: str
    page: str
    sure: Literal["AWS page", "quoted", "not confirmed"]
    free: float = 0
    note: str = ""

    def of(self, units: float) -> float:
        """Return what `units` cost in USD, the free tier not deducted."""
        return self.usd * units / self.per

    def beyond_free(self, units: float) -> float:
        """Return what `units` of a month cost in USD if nothing else used the free tier."""
        return self.of(max(0.0, units - self.free))


MILLION, GB = 1e6, 1e9

PRICES = {
    "api": Price(
        service="API Gateway",
        usd=3.50, per=MILLION, unit="requests of a REST API", page="Amazon API Gateway pricing",
        sure="AWS page",
        note="the million that was free for twelve months is not for accounts since July 2025",
    ),
    "http_api": Price(
        service="API Gateway",
        usd=1.00, per=MILLION, unit="requests of an HTTP API", page="Amazon API Gateway pricing",
        sure="quoted",
        note="up to 512 KB each; the free million as above",
    ),
    "lambda": Price(
        service="Lambda",
        usd=0.20, per=MILLION, unit="invocations", page="AWS Lambda pricing", sure="quoted",
        free=1e6,
    ),
    "compute": Price(
        service="Lambda",
        usd=0.0000133334, unit="GB-seconds, arm64", page="AWS Lambda pricing", sure="quoted",
        free=400_000, note="includes the INIT phase since August 2025",
    ),
    "write": Price(
        service="DynamoDB",
        usd=0.625, per=MILLION, unit="write request units",
        page="Amazon DynamoDB pricing for on-demand capacity", sure="quoted",
        note="halved in November 2024; some pages still quote 1.25",
    ),
    "read": Price(
        service="DynamoDB",
        usd=0.125, per=MILLION, unit="read request units",
        page="Amazon DynamoDB pricing for on-demand capacity", sure="quoted",
    ),
    "stored": Price(
        service="DynamoDB",
        usd=0.25, per=GB, unit="bytes stored a month", page="Amazon DynamoDB pricing",
        sure="AWS page", free=25e9,
    ),
    "logs": Price(
        service="CloudWatch",
        usd=0.50, per=GB, unit="bytes of logs", page="Amazon CloudWatch pricing", sure="quoted",
        free=5e9,
        note="flow logs cost the same; that the free bytes are theirs, too, is not confirmed",
    ),
    "trace": Price(
        service="X-Ray",
        usd=5.00, per=MILLION, unit="traces", page="AWS X-Ray pricing", sure="AWS page",
        free=1e5,
    ),
    "stream": Price(
        service="DynamoDB",
        usd=0, per=MILLION, unit="stream reads by Lambda", page="Evaluate your Streams usage",
        sure="AWS page", note="free for Lambda's event source mappings",
    ),
    "queue": Price(
        service="SQS",
        usd=0.40, per=MILLION, unit="requests of standard queues",
        page="Amazon SQS pricing", sure="quoted", free=1e6,
        note="a batch of ten is one request up to 64 KB; a receive that returns nothing counts",
    ),
    "fifo_queue": Price(
        service="SQS",
        usd=0.50, per=MILLION, unit="requests of FIFO queues", page="Amazon SQS pricing",
        sure="quoted",
        note="as above; that the free million is one for both kinds is what we take from it",
    ),
    "firehose": Price(
        service="Firehose",
        usd=0.029, per=GB, unit="bytes put directly, each record rounded up to 5 KB",
        page="Amazon Data Firehose pricing", sure="quoted",
        note="AWS's page says how records are rounded; calling a function is free but for Lambda's "
        "own price",
    ),
    "partition": Price(
        service="Firehose",
        usd=0.020, per=GB, unit="bytes delivered by dynamic partitioning",
        page="Amazon Data Firehose pricing", sure="not confirmed",
        note="AWS's page says that bytes and objects are billed",
    ),
    "partition_object": Price(
        service="Firehose",
        usd=0.005, per=1000, unit="objects delivered by dynamic partitioning",
        page="Amazon Data Firehose pricing", sure="not confirmed",
    ),
    "bus": Price(
        service="EventBridge",
        usd=1.00, per=MILLION, unit="custom events put on a bus", page="Amazon EventBridge pricing",
        sure="quoted", note="64 KB each; delivery within the account is free",
    ),
    "archive": Price(
        service="EventBridge",
        usd=0.10, per=GB, unit="bytes put into an archive", page="Amazon EventBridge pricing",
        sure="quoted",
    ),
    "archived": Price(
        service="EventBridge",
        usd=0.023, per=GB, unit="bytes in an archive a month", page="Amazon EventBridge pricing",
        sure="quoted", note="what is replayed is put on the bus once more, at its price",
    ),
    "publish": Price(
        service="SNS",
        usd=0.50, per=MILLION, unit="publishes to a standard topic", page="Amazon SNS pricing",
        sure="quoted", free=1e6, note="up to 64 KB each",
    ),
    "deliver": Price(
        service="SNS",
        usd=0, per=MILLION, unit="deliveries to functions", page="Amazon SNS pricing",
        sure="not confirmed",
    ),
    "s3_put": Price(
        service="S3",
        usd=0.005, per=1000, unit="PUT, COPY, POST and LIST requests",
        page="Amazon S3 pricing", sure="quoted",
    ),
    "s3_get": Price(
        service="S3",
        usd=0.0004, per=1000, unit="GET requests", page="Amazon S3 pricing",
        sure="quoted",
    ),
    "s3_stored": Price(
        service="S3",
        usd=0.023, per=GB, unit="bytes stored a month in S3 Standard",
        page="Amazon S3 pricing", sure="quoted",
    ),
    "transfer": Price(
        service="S3",
        usd=0.02, per=GB, unit="bytes to another region", page="Amazon S3 pricing",
        sure="quoted", note="to us-west-2; us-east-2 is nearer and cheaper (not confirmed)",
    ),
    "metric": Price(
        service="CloudWatch",
        usd=0.30, unit="custom metrics a month", page="Amazon CloudWatch pricing", sure="quoted",
        free=10, note="prorated by the hour in which one is sent; the proration is not confirmed",
    ),
    "alarm": Price(
        service="CloudWatch",
        usd=0.10, unit="alarms a month", page="Amazon CloudWatch pricing", sure="quoted", free=10,
    ),
    "dashboard": Price(
        service="CloudWatch",
        usd=3.00, unit="dashboards a month", page="Amazon CloudWatch pricing", sure="quoted",
        free=3,
    ),
    "key": Price(
        service="KMS",
        usd=1.00, unit="customer-managed keys a month",
        page="AWS Key Management Service pricing", sure="AWS page",
        note="the first two rotations add 1 USD a month each (not confirmed)",
    ),
    "kms": Price(
        service="KMS",
        usd=0.03, per=10_000, unit="requests to KMS", page="AWS Key Management Service pricing",
        sure="quoted", free=20_000, note="the keys that AWS manages cost nothing else",
    ),
    "secret": Price(
        service="Secrets Manager",
        usd=0.40, unit="secrets a month", page="AWS Secrets Manager pricing", sure="quoted",
    ),
    "secret_read": Price(
        service="Secrets Manager",
        usd=0.05, per=10_000, unit="reads of secrets", page="AWS Secrets Manager pricing",
        sure="quoted",
    ),
    "t4g.micro": Price(
        service="EC2",
        usd=0.0084, unit="hours of a t4g.micro (Linux, arm64)",
        page="Amazon EC2 On-Demand Pricing", sure="quoted",
        note="billed by the second; nothing is free: accounts since July 2025 have credits instead",
    ),
    "t3.micro": Price(
        service="EC2",
        usd=0.0104, unit="hours of a t3.micro (Linux, x86_64)",
        page="Amazon EC2 On-Demand Pricing", sure="quoted", note="as above",
    ),
    "gp3": Price(
        service="EBS",
        usd=0.08, unit="GB of gp3 volumes a month", page="Amazon EBS pricing", sure="quoted",
        note="as large as the volume is, not what is on it; also of a stopped host",
    ),
    "address": Price(
        service="VPC",
        usd=0.005, unit="hours of a public IPv4 address", page="Amazon VPC pricing", sure="quoted",
        note="in use or idle",
    ),
    "nat": Price(
        service="VPC",
        usd=0.045, unit="hours of a NAT gateway", page="Amazon VPC pricing", sure="quoted",
        note="its public address is billed beside it",
    ),
    "nat_bytes": Price(
        service="VPC",
        usd=0.045, per=GB, unit="bytes through a NAT gateway", page="Amazon VPC pricing",
        sure="quoted", note="in both directions, beside what the internet costs",
    ),
    "internet": Price(
        service="EC2",
        usd=0.09, per=GB, unit="bytes out to the internet", page="Amazon EC2 On-Demand Pricing",
        sure="quoted", free=100e9, note="of all services and regions together; in is free",
    ),
}  # fmt: skip


def markdown() -> str:
    """Return the prices as a table for docs/costs.md."""
    lines = ["| what | USD | per | AWS's page | confirmed by | note |", "|---|---|---|---|---|---|"]
    for price in PRICES.values():
        amount = f"{price.usd:.10f}".rstrip("0").rstrip(".")
        per = f"{price.per:,.0f}"
        free = f"{price.free:,.0f} free a month" if price.free else ""
        notes = "; ".join(filter(None, (free, price.note)))
        lines.append(f"| {price.unit} | {amount} | {per} | {price.page} | {price.sure} | {notes} |")
    return "\n".join(lines)
