"""An in-memory Secrets Manager client; calls are counted with DynamoDB's.

Rules: "GetSecretValue" (API Reference), 2026-11-21.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proofs.fakes.dynamodb import refusal

if TYPE_CHECKING:
    from proofs.fakes.dynamodb import FakeDynamoDB


@dataclass
class FakeSecretsManager:
    """Secrets by ARN: texts or, as bytes, binary ones.

    Attributes:
        dynamodb: whose hooks and numbers the calls share.
    """

    dynamodb: FakeDynamoDB
    secrets: dict[str, str | bytes] = field(default_factory=dict)

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        call = self.dynamodb.begin("GetSecretValue", locals())
        if SecretId not in self.secrets:
            raise refusal("ResourceNotFoundException", call.operation)
        value = self.secrets[SecretId]
        self.dynamodb.after(call)
        kind = "SecretBinary" if isinstance(value, bytes) else "SecretString"
        return {"ARN": SecretId, kind: value}
