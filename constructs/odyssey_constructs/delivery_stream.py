"""A delivery stream of records to a bucket, by way of a function that transforms them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_logs as logs

from constructs import Construct
from odyssey_constructs.alarms import FIVE_MINUTES, alarm
from odyssey_constructs.encryption import encryption_key
from odyssey_constructs.retention import log_group, removal_policy

if TYPE_CHECKING:
    from odyssey_constructs.bucket import Bucket
    from odyssey_constructs.client import Client
    from odyssey_constructs.config import Config
    from odyssey_constructs.function import PythonFunction

# Where records go in the bucket: as the function made them, or as they were put.
EVENTS, ERRORS = "events/", "errors/"
_DATE = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/"
# The least that dynamic partitioning takes is 64 MiB ("Enable dynamic partitioning", Amazon Data
# Firehose, 2026-11-21).
_BUFFER_MIB, _PARTITIONED_BUFFER_MIB, _BUFFER_SECONDS = 1, 64, 60
# The least that the function's buffer can be ("Transform source data in Amazon Data Firehose",
# 2026-11-21): an envelope is ten times as large as the smallest record, and what the function
# answers with must stay below 6 MB.
_FUNCTION_BUFFER_MB = "0.2"
_RETRIES = "3"

_Stream = firehose.CfnDeliveryStream
_Destination = _Stream.ExtendedS3DestinationConfigurationProperty


class DeliveryStream(Construct):
    """Takes records directly, encrypted, transforms them in batches and writes them compressed.

    What the function makes of them is below `events/`, by the day of their arrival in UTC; what it
    fails on, or where it fails as a whole, is below `errors/`, as it was put.

    Args:
        scope: the parent.
        id: the name within the parent.
        bucket: where records go.
        function: what transforms them.
        partitioned: whether records go into a folder for each `type` that the function names as
            partition key. Buffers are 64 MiB then, not 1.
        config: the app's settings.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        bucket: Bucket,
        function: PythonFunction,
        partitioned: bool,
        config: Config,
    ) -> None:
        super().__init__(scope, id)
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("firehose.amazonaws.com"),
            description="Delivers records to the bucket, by way of the function",
        )
        self._key = encryption_key(self, config=config)
        bucket.allow_deliver(self)
        # Firehose names the version that it invokes ("Grant Firehose access to an Amazon S3
        # destination", 2026-11-21).
        for arn in (function.function.function_arn, f"{function.function.function_arn}:$LATEST"):
            self.allow("lambda:InvokeFunction", "lambda:GetFunctionConfiguration", on=arn)
        group, errors = self._error_log(config)
        by_type = "type=!{partitionKeyFromLambda:type}/" if partitioned else ""
        self.stream = _Stream(
            self,
            # Partitioning can only be chosen when a stream is made ("Enable dynamic partitioning",
            # Amazon Data Firehose, 2026-11-21), so that another choice is another stream.
            "PartitionedStream" if partitioned else "Stream",
            delivery_stream_type="DirectPut",
            delivery_stream_encryption_configuration_input=self._encryption(),
            extended_s3_destination_configuration=_Destination(
                bucket_arn=bucket.bucket.bucket_arn,
                role_arn=self.role.role_arn,
                prefix=f"{EVENTS}{by_type}{_DATE}",
                error_output_prefix=f"{ERRORS}!{{firehose:error-output-type}}/{_DATE}",
                compression_format="GZIP",
                buffering_hints=_Stream.BufferingHintsProperty(
                    size_in_m_bs=_PARTITIONED_BUFFER_MIB if partitioned else _BUFFER_MIB,
                    interval_in_seconds=_BUFFER_SECONDS,
                ),
                dynamic_partitioning_configuration=(
                    _Stream.DynamicPartitioningConfigurationProperty(enabled=True)
                    if partitioned
                    else None
                ),
                processing_configuration=_processing(function),
                cloud_watch_logging_options=_Stream.CloudWatchLoggingOptionsProperty(
                    enabled=True,
                    log_group_name=group.log_group_name,
                    log_stream_name=errors.log_stream_name,
                ),
                encryption_configuration=self._encryption_of_objects(),
            ),
        )
        # Without this the stream can be made before the role may write, and is refused.
        self.stream.node.add_dependency(self.role)
        # The stream goes before the bucket is emptied: it still delivers what it has buffered.
        self.stream.node.add_dependency(bucket)
        self._alarms()

    def allow(self, *actions: str, on: str) -> None:
        """Let Firehose call `actions` on the one resource, or kind of resource, `on`."""
        self.role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=[on]))

    def allow_put(self, who: Client) -> None:
        """Let `who` put records."""
        who.allow("firehose:PutRecordBatch", on=self.stream.attr_arn)

    def _error_log(self, config: Config) -> tuple[logs.LogGroup, logs.LogStream]:
        group = log_group(self, "Errors", config=config)
        stream = logs.LogStream(
            self, "ErrorStream", log_group=group, removal_policy=removal_policy(config)
        )
        arn = Stack.of(self).format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{group.log_group_name}:log-stream:{stream.log_stream_name}",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        self.allow("logs:PutLogEvents", on=arn)
        return group, stream

    def _encryption(self) -> _Stream.DeliveryStreamEncryptionConfigurationInputProperty:
        if self._key is None:
            return _Stream.DeliveryStreamEncryptionConfigurationInputProperty(
                key_type="AWS_OWNED_CMK"
            )
        return _Stream.DeliveryStreamEncryptionConfigurationInputProperty(
            key_type="CUSTOMER_MANAGED_CMK", key_arn=self._key.key_arn
        )

    def _encryption_of_objects(self) -> _Stream.EncryptionConfigurationProperty | None:
        """Return the stack's key; None for the bucket's own way."""
        if self._key is None:
            return None
        return _Stream.EncryptionConfigurationProperty(
            kms_encryption_config=_Stream.KMSEncryptionConfigProperty(
                awskms_key_arn=self._key.key_arn
            )
        )

    def _alarms(self) -> None:
        """Tell of what nobody else does: "Amazon Data Firehose metrics", 2026-11-21."""
        alarm(
            self,
            "Behind",
            metric=self._metric("DeliveryToS3.DataFreshness", "Maximum"),
            threshold=Duration.minutes(15).to_seconds(),
            description="The oldest record waits for 15 minutes to be in the bucket. After 24 "
            "hours records are lost.",
        )
        alarm(
            self,
            "Untransformed",
            metric=self._metric("ExecuteProcessing.Success", "Average"),
            threshold=1,
            below=True,
            description="The function failed on a whole batch, or could not be called. What "
            "Firehose has given up is in the bucket below errors/. Mend the cause, then run "
            "odyssey ingest reprocess.",
        )

    def _metric(self, name: str, statistic: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/Firehose",
            metric_name=name,
            dimensions_map={"DeliveryStreamName": self.stream.ref},
            statistic=statistic,
            period=FIVE_MINUTES,
        )


def _processing(function: PythonFunction) -> _Stream.ProcessingConfigurationProperty:
    parameters = {
        "LambdaArn": function.function.function_arn,
        "BufferSizeInMBs": _FUNCTION_BUFFER_MB,
        "BufferIntervalInSeconds": str(_BUFFER_SECONDS),
        "NumberOfRetries": _RETRIES,
    }
    return _Stream.ProcessingConfigurationProperty(
        enabled=True,
        processors=[
            _Stream.ProcessorProperty(
                type="Lambda",
                parameters=[
                    _Stream.ProcessorParameterProperty(parameter_name=name, parameter_value=value)
                    for name, value in parameters.items()
                ],
            )
        ],
    )
