"""What is verified where: the README's truth table, from one list.

A test holds the list against the templates: every CloudFormation type they use is in it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Truth:
    """What is known about one part of the systems.

    Attributes:
        what: the part.
        types: the CloudFormation types it is made of.
        verified: what the demo and the local tests show on the local cloud; "" for nothing.
        synthesized: what is in the template but has no effect on the local cloud; "" for nothing.
        extension: modules of `local_cloud` without which it would not hold.
    """

    what: str
    types: tuple[str, ...]
    verified: str
    synthesized: str
    extension: tuple[str, ...] = ()


TRUTHS = (
    Truth(
        "REST API",
        (
            "AWS::ApiGateway::RestApi",
            "AWS::ApiGateway::Resource",
            "AWS::ApiGateway::Method",
            "AWS::ApiGateway::Deployment",
            "AWS::ApiGateway::Stage",
            "AWS::ApiGateway::GatewayResponse",
            "AWS::ApiGateway::Account",
            "AWS::IAM::ManagedPolicy",
        ),
        "routes, IAM authorization, refusals as problems, bodies byte for byte",
        "throttle, access log, tracing; a wrong secret key is not noticed",
        ("binary_media", "access_denied", "function_errors"),
    ),
    Truth(
        "HTTP API",
        (
            "AWS::ApiGatewayV2::Api",
            "AWS::ApiGatewayV2::Route",
            "AWS::ApiGatewayV2::Integration",
            "AWS::ApiGatewayV2::Stage",
        ),
        "routes, payload format 2.0, forms and JSON byte for byte, parameters of paths, the "
        "gateway's own 404, 413, 500 and 503, permission to call the function",
        "throttle (429), access log; how often AWS decodes a path",
        ("http_apis",),
    ),
    Truth(
        "Functions",
        (
            "AWS::Lambda::Function",
            "AWS::Lambda::Permission",
            "AWS::IAM::Role",
            "AWS::IAM::Policy",
            "AWS::Logs::LogGroup",
        ),
        "the real bundles, each under its own role, IAM enforced on every call and each of its "
        "decisions recorded; logs",
        "Python 3.13 and arm64 (they run on the Python of this machine), memory, log retention",
        ("seclusion", "environments", "code_folders", "decisions"),
    ),
    Truth(
        "Tables",
        ("AWS::DynamoDB::Table",),
        "conditions, transactions, index",
        "capacity and throttles, encryption, backups",
    ),
    Truth(
        "Stream to function",
        ("AWS::Lambda::EventSourceMapping",),
        "filter, batching window, partial batch response, bisecting, retry limit, record age, "
        "on-failure destination, all on a clock 20 times as fast; rejects and redrive",
        "parallel batches of one shard",
        ("stream_poller", "mappings", "permissions", "clock"),
    ),
    Truth(
        "Queues, to functions and programs",
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy"),
        "batches, visibility on the same clock, partial batch response, number of receives, "
        "dead-letter queue, redrive, groups of a FIFO queue in their order; TLS-only policy",
        "encryption, retention, high throughput of FIFO queues",
        ("queue_poller", "batch_actions"),
    ),
    Truth(
        "Topic to functions",
        (
            "AWS::SNS::Topic",
            "AWS::SNS::TopicPolicy",
            "AWS::SNS::Subscription",
            "AWS::Lambda::EventInvokeConfig",
        ),
        "delivery to every subscriber, filter policy, three attempts and their pauses on the same "
        "clock, dead-letter queue of the subscription, on-failure destination, redrive to the "
        "subscriber that failed; TLS-only policy",
        "encryption, SNS's 23 days of tries",
        ("sns_delivery", "async_invocations", "topic_attributes"),
    ),
    Truth(
        "Secrets",
        ("AWS::SecretsManager::Secret",),
        "generated values, permission to read, rotation without a deployment",
        "encryption",
        ("secret_values",),
    ),
    Truth(
        "Buckets",
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "Custom::EmptyBucket"),
        "versions, writes that never overwrite, SHA-256 checksums, TLS-only policy; emptied and "
        "deleted with their stack, and not deleted before they are empty",
        "encryption and lifecycle: kept and readable, without effect; replication",
        ("buckets", "objects", "managed_keys"),
    ),
    Truth(
        "Delivery streams to buckets",
        ("AWS::KinesisFirehose::DeliveryStream", "AWS::Logs::LogStream"),
        "buffers by size and interval on the same clock, one call of the function per batch and "
        "its retries, error prefix, gzip, names of objects, limits of puts, permissions of the "
        "role, error log",
        "encryption",
        ("firehose", "firehose_objects", "firehose_streams"),
    ),
    Truth(
        "Event buses",
        ("AWS::Events::EventBus", "AWS::Events::Rule", "AWS::Events::Archive"),
        "deliveries to queues, functions and topics with retries, dead letters and permissions; "
        "archive, replay, who may put",
        "",
        ("event_bus", "event_targets", "event_archives"),
    ),
    Truth(
        "Networks",
        (
            "AWS::EC2::VPC",
            "AWS::EC2::Subnet",
            "AWS::EC2::RouteTable",
            "AWS::EC2::SubnetRouteTableAssociation",
            "AWS::EC2::Route",
            "AWS::EC2::InternetGateway",
            "AWS::EC2::VPCGatewayAttachment",
            "AWS::EC2::NatGateway",
            "AWS::EC2::EIP",
            "AWS::EC2::VPCEndpoint",
            "AWS::EC2::FlowLog",
        ),
        "addresses, routes, gateways and endpoints, as the EC2 API describes them and refuses what "
        "does not fit or is in use; who reaches what, worked out from that",
        "packets: none flows, and so none is logged",
        (
            "ec2_calls",
            "ec2_answers",
            "vpcs",
            "route_tables",
            "network_acls",
            "network_interfaces",
            "nat_gateways",
            "addresses",
            "gateway_endpoints",
            "flow_logs",
        ),
    ),
    Truth(
        "Security groups",
        (
            "AWS::EC2::SecurityGroup",
            "AWS::EC2::SecurityGroupIngress",
            "AWS::EC2::SecurityGroupEgress",
            "Custom::ClosedDefaultGroup",
        ),
        "rules, one by one, and those that a new group begins with; the default group, closed by "
        "a function that may close no other",
        "that a packet is dropped",
        ("security_groups", "security_group_rules"),
    ),
    Truth(
        "Hosts",
        (
            "AWS::EC2::Instance",
            "AWS::EC2::InstanceConnectEndpoint",
            "AWS::IAM::InstanceProfile",
        ),
        "records of them, with interfaces, addresses, volumes and metadata options; the newest "
        "image, and a host that keeps its own; protection from termination",
        "the machines: no shell, session or tunnel, no status check",
        (
            "instances",
            "instance_launch",
            "instance_calls",
            "instance_images",
            "instance_interfaces",
            "instance_addresses",
            "instance_volumes",
            "instance_profiles",
            "public_parameters",
            "connect_endpoints",
        ),
    ),
    Truth(
        "Key pairs",
        ("AWS::EC2::KeyPair",),
        "real keys: the private one in the parameter store, encrypted, and nowhere else; its "
        "fingerprint",
        "",
        ("key_pairs",),
    ),
    Truth(
        "Budget",
        ("AWS::Budgets::Budget",),
        "its amount, and who is to be told of what",
        "bills, forecasts, e-mail",
        ("budgets",),
    ),
    Truth(
        "Programs and people",
        ("AWS::IAM::Group", "AWS::IAM::User"),
        "roles that programs assume, each refused what it does not need; members of a group may "
        "do what the group may",
        "",
        ("iam_groups",),
    ),
    Truth(
        "Telling somebody",
        (
            "AWS::CloudWatch::Alarm",
            "AWS::CloudWatch::Dashboard",
            "AWS::SSM::Parameter",
        ),
        "the topic is found by every stack",
        "metrics, alarms, e-mail, dashboard",
    ),
    Truth("Keys of prod", ("AWS::KMS::Key",), "", "encryption with customer-managed keys"),
    Truth(
        "Deployment",
        (),
        "the CDK's own command line: bootstrap, deploy, destroy; nothing left behind",
        "roles of the bootstrap",
        ("settling", "transport"),
    ),
)


def markdown() -> str:
    """Return the table."""
    lines = [
        "| part | verified locally | only synthesized | added to MiniStack by us |",
        "|---|---|---|---|",
    ]
    for truth in TRUTHS:
        modules = ", ".join(f"`{name}`" for name in truth.extension)
        lines.append(f"| {truth.what} | {truth.verified} | {truth.synthesized} | {modules} |")
    return "\n".join([*lines, "", "Nothing of this has been run on AWS yet."])
