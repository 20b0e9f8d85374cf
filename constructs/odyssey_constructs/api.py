"""A REST API whose callers sign their requests with IAM credentials."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast

from aws_cdk import Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam

from constructs import Construct
from odyssey_constructs.alarms import FIVE_MINUTES, server_error_alarm
from odyssey_constructs.findings import acknowledge
from odyssey_constructs.retention import log_group

if TYPE_CHECKING:
    from aws_cdk import CfnElement

    from odyssey_constructs.config import Config
    from odyssey_constructs.function import PythonFunction

STAGE = "v1"

# Who, what and how it ended; never a body, a query string's value or a header's.
_ACCESS_LOG = {
    "request_id": "$context.requestId",
    "time": "$context.requestTime",
    "caller": "$context.identity.caller",
    "method": "$context.httpMethod",
    "resource": "$context.resourcePath",
    "status": "$context.status",
    "response_type": "$context.error.responseType",
    "integration_error": "$context.integration.error",
    "response_length": "$context.responseLength",
    "latency_ms": "$context.responseLatency",
}


class IamApi(Construct):
    """A regional REST API: SigV4 on every method, throttled, access log, CORS off.

    What the gateway itself refuses is answered as RFC 9457 problem, like the functions'
    own answers. Bodies reach the functions base64-encoded, because the gateway would
    silently replace bytes that are not UTF-8.
    """

    def __init__(self, scope: Construct, id: str, *, config: Config) -> None:
        super().__init__(scope, id)
        access_log = log_group(self, "AccessLog", config=config)
        self.api = apigateway.RestApi(
            self,
            "Api",
            # The name is a label, not an identifier; callers use the id.
            rest_api_name=f"{Stack.of(self).stack_name}-{id}",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            binary_media_types=["*/*"],
            cloud_watch_role=False,
            default_method_options=apigateway.MethodOptions(
                authorization_type=apigateway.AuthorizationType.IAM
            ),
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=config.api_rate_limit,
                throttling_burst_limit=config.api_burst_limit,
                tracing_enabled=True,
                access_log_destination=apigateway.LogGroupLogDestination(access_log),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
            ),
        )
        # The output that RestApi adds by itself; a stack names its own.
        self.api.node.try_remove_child("Endpoint")
        self._answer_problems()
        self.client_policy = iam.ManagedPolicy(
            self, "ClientPolicy", description=f"May call {Stack.of(self).stack_name}'s API"
        )
        self._acknowledge()
        server_error_alarm(self, self.api.metric_server_error(period=FIVE_MINUTES, statistic="Sum"))

    @property
    def url(self) -> str:
        """The stage's address, with a trailing slash."""
        return self.api.url

    def post(self, path: str, function: PythonFunction) -> None:
        """Route `POST /<path>` to `function` and let holders of the client policy call it."""
        self._route("POST", path, function)

    def get(self, path: str, function: PythonFunction) -> None:
        """Route `GET /<path>` to `function` and let holders of the client policy call it."""
        self._route("GET", path, function)

    def _route(self, verb: str, path: str, function: PythonFunction) -> None:
        integration = apigateway.LambdaIntegration(function.function, allow_test_invoke=False)
        method = self.api.root.resource_for_path(path).add_method(verb, integration)
        self.client_policy.add_statements(
            iam.PolicyStatement(actions=["execute-api:Invoke"], resources=[method.method_arn])
        )
        if "{" in path:
            self._acknowledge_wildcard(verb, re.sub(r"{[^}]*}", "*", path))

    def _acknowledge_wildcard(self, verb: str, path: str) -> None:
        stack = Stack.of(self)
        api, stage = (
            stack.get_logical_id(cast("CfnElement", construct.node.default_child))
            for construct in (self.api, self.api.deployment_stage)
        )
        acknowledge(
            self.client_policy,
            "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:execute-api:<AWS::Region>:"
            f"<AWS::AccountId>:<{api}>/<{stage}>/{verb}/{path}]",
            "A path parameter is a wildcard in an execute-api ARN; API, stage, verb and the path "
            "before it are fixed.",
        )

    def _answer_problems(self) -> None:
        for family in (apigateway.ResponseType.DEFAULT_4_XX, apigateway.ResponseType.DEFAULT_5_XX):
            self.api.add_gateway_response(
                f"Problem{family.response_type}",
                type=family,
                response_headers={"Content-Type": "'application/problem+json'"},
                templates={
                    # messageString is quoted by the gateway ("API Gateway mapping template
                    # and access logging variable reference", 2026-11-21).
                    "application/json": "{"
                    '"type":"urn:aws-odyssey:problem:$context.error.responseType",'
                    '"title":$context.error.messageString,"request_id":"$context.requestId"}'
                },
            )

    def _acknowledge(self) -> None:
        for rule, reason in {
            "AwsSolutions-APIG2": "The functions validate: the gateway's validator knows neither "
            "duplicate keys nor non-finite numbers, and answers without saying which field.",
            "AwsSolutions-APIG3": "Every method asks for a signature; a web ACL costs 5 USD a "
            "month and would keep out nobody who can sign.",
            "AwsSolutions-APIG6": "Execution logs go to a log group that API Gateway makes itself, "
            "without retention, and leaves behind; the access log and the functions' logs share "
            "the request id.",
            "AwsSolutions-COG4": "Methods use IAM authorization.",
        }.items():
            acknowledge(self.api, rule, reason)
