"""The pure parts of the local cloud's buckets: a template's words as S3's API says them."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud.buckets import encryption_xml, lifecycle_rules, versioning_xml
from local_cloud.objects import is_batch_delete


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"Filter": {"Prefix": ""}}),
        ({"Id": "one", "Prefix": "raw/"}, {"ID": "one", "Filter": {"Prefix": "raw/"}}),
        (
            {"TagFilters": [{"Key": "a", "Value": "1"}]},
            {"Filter": {"Tag": {"Key": "a", "Value": "1"}}},
        ),
        (
            {"TagFilters": [{"Key": "a", "Value": "1"}], "Prefix": "raw/"},
            {"Filter": {"And": {"Prefix": "raw/", "Tags": [{"Key": "a", "Value": "1"}]}}},
        ),
        (
            {"ObjectSizeGreaterThan": "5", "ObjectSizeLessThan": 9},
            {"Filter": {"And": {"ObjectSizeGreaterThan": 5, "ObjectSizeLessThan": 9}}},
        ),
        (
            {"ExpirationInDays": 30, "ExpiredObjectDeleteMarker": "false"},
            {
                "Filter": {"Prefix": ""},
                "Expiration": {"Days": 30, "ExpiredObjectDeleteMarker": False},
            },
        ),
        (
            {"NoncurrentVersionExpirationInDays": "7"},
            {
                "Filter": {"Prefix": ""},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
            },
        ),
        (
            {"Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 90}]},
            {
                "Filter": {"Prefix": ""},
                "Transitions": [{"Days": 90, "StorageClass": "GLACIER"}],
            },
        ),
        (
            {
                "NoncurrentVersionTransition": {
                    "StorageClass": "GLACIER",
                    "TransitionInDays": "9",
                    "NewerNoncurrentVersions": 2,
                }
            },
            {
                "Filter": {"Prefix": ""},
                "NoncurrentVersionTransitions": [
                    {"NoncurrentDays": 9, "NewerNoncurrentVersions": 2, "StorageClass": "GLACIER"}
                ],
            },
        ),
    ],
)
def test_a_templates_lifecycle_rule_is_one_of_the_apis(
    given: dict[str, Any], expected: dict[str, Any]
) -> None:
    rules = lifecycle_rules({"Rules": [{"Status": "Enabled", **given}]})

    assert rules == [{"Status": "Enabled", **expected}]


def test_a_templates_encryption_without_a_key_is_just_the_algorithm() -> None:
    default = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}

    xml = encryption_xml({"ServerSideEncryptionConfiguration": [default]}).decode()

    assert "<SSEAlgorithm>AES256</SSEAlgorithm>" in xml
    assert "<BucketKeyEnabled>false</BucketKeyEnabled>" in xml
    assert "KMSMasterKeyID" not in xml


@pytest.mark.parametrize(
    ("given", "status"), [({"Status": "Enabled"}, "Enabled"), ({}, "Suspended")]
)
def test_versioning_that_a_template_does_not_enable_is_suspended(
    given: dict[str, str], status: str
) -> None:
    assert f"<Status>{status}</Status>" in versioning_xml(given).decode()


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("POST", "/bucket", {"delete": [""]}, True),
        ("POST", "/bucket/", {"delete": [""]}, True),
        ("POST", "/bucket/key", {"delete": [""]}, False),
        ("POST", "/bucket", {}, False),
        ("DELETE", "/bucket", {"delete": [""]}, False),
    ],
)
def test_a_batch_deletion_is_told_by_its_query(
    method: str, path: str, query: dict[str, list[str]], expected: bool
) -> None:
    assert is_batch_delete(method, path, query) == expected
