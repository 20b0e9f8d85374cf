"""A secret that is generated with its stack, and can be replaced without a deployment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_secretsmanager as secretsmanager

from constructs import Construct
from odyssey_constructs.encryption import encryption_key
from odyssey_constructs.findings import acknowledge
from odyssey_constructs.retention import removal_policy

if TYPE_CHECKING:
    from odyssey_constructs.client import Client
    from odyssey_constructs.config import Config
    from odyssey_constructs.function import PythonFunction


class Secret(Construct):
    """A JSON object in Secrets Manager; one of its fields is generated.

    Whoever stores another value keeps it, unless a deployment changes how it is generated. A
    secret costs 0.40 USD a month (AWS Secrets Manager pricing, 2026-11-21).

    Args:
        scope: the parent.
        id: the name within the parent.
        field: of the JSON object, 40 letters and digits at first.
        config: the app's settings.
    """

    def __init__(self, scope: Construct, id: str, *, field: str, config: Config) -> None:
        super().__init__(scope, id)
        self._key = encryption_key(self, config=config)
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            description=f"{Stack.of(self).stack_name}: {id}",
            encryption_key=self._key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({}),
                generate_string_key=field,
                password_length=40,
                exclude_punctuation=True,
            ),
            removal_policy=removal_policy(config),
        )
        acknowledge(
            self.secret,
            "AwsSolutions-SMG4",
            "Both sides of a shared secret must change together; nothing can rotate the other "
            "side. The functions take a new value within a minute, without a deployment.",
        )

    def allow_read(self, *readers: PythonFunction | Client) -> None:
        """Let each of `readers` read the secret."""
        for who in readers:
            who.allow("secretsmanager:GetSecretValue", on=self.secret.secret_arn)
            if self._key is not None:
                who.allow("kms:Decrypt", on=self._key.key_arn)
