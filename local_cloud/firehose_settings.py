"""What a delivery stream's S3 destination says, and what is wrong with it.

Pure, like firehose_delivery.py. The rules are those of these pages, read 2026-11-21:

- "BufferingHints" (5 MiB, 300 seconds)
  https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html
- "ProcessorParameter" (3 retries, 60 seconds, 1 MB; from 0.2 to 3 MB)
  https://docs.aws.amazon.com/firehose/latest/APIReference/API_ProcessorParameter.html
- "Transform source data in Amazon Data Firehose" (from 0 to 900 seconds)
  https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
- "Understand custom prefixes for Amazon S3 objects"
  https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
- "Buffer data for dynamic partitioning"; its least buffer, 64 MiB, is in "Enable dynamic
  partitioning"
  https://docs.aws.amazon.com/firehose/latest/dev/buffering.html
  https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-enable.html

A stream that asks for what the local cloud does not do is refused, not half served: compression
other than gzip, conversion to Parquet or ORC, a backup of the source records, other time zones,
and processors that are neither functions nor extract partition keys.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_cloud import firehose_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MIB = 1024 * 1024
_LONGEST_INTERVAL = 900
_SIZES = (1, 128)
_PARTITIONED_SIZES = (64, 128)
_PROCESSOR_SIZES = (0.2, 3)


@dataclass(frozen=True)
class Hint:
    """When a buffer is full: at so many bytes, or so many seconds after its first record."""

    size: int
    interval: float

    @classmethod
    def of(cls, mib: object, seconds: object) -> Hint:
        """Read what templates have, numbers or strings."""
        return cls(int(float(str(mib)) * _MIB), float(str(seconds)))


@dataclass(frozen=True)
class Processor:
    """The function that transforms records; `pause` is the one before a retry, in seconds."""

    function: str
    hint: Hint
    retries: int = 3
    role: str | None = None
    pause: float = 10


@dataclass(frozen=True)
class Settings:
    """What a stream's S3 destination says; times in seconds."""

    bucket: str
    role: str
    hint: Hint
    prefix: str = ""
    error_prefix: str | None = None
    extension: str = ""
    gzip: bool = False
    key: str | None = None
    partitioned: bool = False
    processor: Processor | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """Read an ExtendedS3DestinationConfiguration."""
        hints = config.get("BufferingHints") or {}
        gzip = config.get("CompressionFormat", "UNCOMPRESSED") == "GZIP"
        encryption = (config.get("EncryptionConfiguration") or {}).get("KMSEncryptionConfig") or {}
        return cls(
            bucket=str(config["BucketARN"]).rpartition(":")[2],
            role=str(config["RoleARN"]),
            hint=Hint.of(hints.get("SizeInMBs", 5), hints.get("IntervalInSeconds", 300)),
            prefix=config.get("Prefix") or "",
            error_prefix=config.get("ErrorOutputPrefix"),
            extension=config.get("FileExtension") or (".gz" if gzip else ""),
            gzip=gzip,
            key=encryption.get("AWSKMSKeyARN"),
            partitioned=is_on(config.get("DynamicPartitioningConfiguration")),
            processor=_processor(config.get("ProcessingConfiguration") or {}),
        )

    def sped_up(self, scale: float) -> Settings:
        """Return the settings for a clock that runs `scale` times faster than the real one."""
        faster = replace(self, hint=replace(self.hint, interval=self.hint.interval / scale))
        if (own := self.processor) is None:
            return faster
        hint = replace(own.hint, interval=own.hint.interval / scale)
        return replace(faster, processor=replace(own, hint=hint, pause=own.pause / scale))


def is_on(config: Mapping[str, Any] | None) -> bool:
    """Say whether a part of the configuration is enabled."""
    return str((config or {}).get("Enabled", False)).lower() == "true"


def processors(config: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the parameters of each type of enabled processor in a ProcessingConfiguration."""
    return {
        str(processor["Type"]): {
            parameter["ParameterName"]: str(parameter["ParameterValue"])
            for parameter in processor.get("Parameters") or []
        }
        for processor in (config.get("Processors") or [] if is_on(config) else [])
    }


def _processor(config: Mapping[str, Any]) -> Processor | None:
    given = processors(config).get("Lambda")
    if given is None:
        return None
    size, interval = given.get("BufferSizeInMBs", "1"), given.get("BufferIntervalInSeconds", "60")
    return Processor(
        function=given["LambdaArn"],
        hint=Hint.of(size, interval),
        retries=int(given.get("NumberOfRetries", "3")),
        role=given.get("RoleArn"),
    )


def problem(config: Mapping[str, Any]) -> str | None:
    """Say why a stream with this destination is refused, None if it is not."""
    return next(_problems(config), None)


def _problems(config: Mapping[str, Any]) -> Iterator[str]:
    yield from _gaps(config)
    given = processors(config.get("ProcessingConfiguration") or {})
    if "Lambda" in given and "LambdaArn" not in given["Lambda"]:
        yield "A processor of type Lambda needs a LambdaArn."
        return
    settings = Settings.of(config)
    hints = config.get("BufferingHints") or {}
    if len(hints) == 1:
        yield "BufferingHints needs both SizeInMBs and IntervalInSeconds."
    sizes = _PARTITIONED_SIZES if settings.partitioned else _SIZES
    yield from _outside("BufferingHints", settings.hint, sizes)
    if settings.processor:
        yield from _outside("The processor's buffer", settings.processor.hint, _PROCESSOR_SIZES)
    now = datetime.now(UTC)
    wrong = firehose_names.problem(
        settings.prefix, settings.error_prefix, partitioned=settings.partitioned, at=now
    )
    if wrong:
        yield wrong


def _outside(what: str, hint: Hint, sizes: tuple[float, float]) -> Iterator[str]:
    if not int(sizes[0] * _MIB) <= hint.size <= sizes[1] * _MIB:
        yield f"{what}: the size is from {sizes[0]} to {sizes[1]} MB."
    if not 0 <= hint.interval <= _LONGEST_INTERVAL:
        yield f"{what}: the interval is from 0 to {_LONGEST_INTERVAL} seconds."


def _gaps(config: Mapping[str, Any]) -> Iterator[str]:
    compression = config.get("CompressionFormat", "UNCOMPRESSED")
    if compression not in ("UNCOMPRESSED", "GZIP"):
        yield f"The local cloud does not compress with {compression}."
    conversion = config.get("DataFormatConversionConfiguration")
    if conversion and is_on({"Enabled": True, **conversion}):
        yield "The local cloud does not convert records."
    if config.get("S3BackupMode", "Disabled") != "Disabled":
        yield "The local cloud does not back source records up."
    if config.get("CustomTimeZone", "UTC") != "UTC":
        yield "The local cloud knows UTC only."
    processing = config.get("ProcessingConfiguration") or {}
    types = [each["Type"] for each in processing.get("Processors") or [] if is_on(processing)]
    for unknown in {*types} - {"Lambda", "MetadataExtraction"}:
        yield f"The local cloud has no processor {unknown}."
    if types.count("Lambda") > 1:
        yield "A stream has one processor of type Lambda at most."
