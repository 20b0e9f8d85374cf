"""An HTTP API whose functions authenticate callers themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from aws_cdk import Stack
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration

from constructs import Construct
from odyssey_constructs.alarms import FIVE_MINUTES, server_error_alarm
from odyssey_constructs.findings import acknowledge
from odyssey_constructs.retention import log_group

if TYPE_CHECKING:
    from odyssey_constructs.config import Config
    from odyssey_constructs.function import PythonFunction

# Where from, what and how it ended; never a body, a query string, a path's value or a header's.
_ACCESS_LOG = {
    "request_id": "$context.requestId",
    "time": "$context.requestTime",
    "source_ip": "$context.identity.sourceIp",
    "route": "$context.routeKey",
    "status": "$context.status",
    "gateway_error": "$context.error.responseType",
    "integration_error": "$context.integrationErrorMessage",
    "response_length": "$context.responseLength",
    "latency_ms": "$context.responseLatency",
}


class HttpApi(Construct):
    """An HTTP API with one stage at its root: throttled, access log, CORS off.

    Anybody may call it: a function behind it must check who does. The gateway's own answers
    (404, 413, 429) are JSON objects with a `message`; only a REST API can change them.
    """

    def __init__(self, scope: Construct, id: str, *, config: Config) -> None:
        super().__init__(scope, id)
        self.api = apigatewayv2.HttpApi(
            self,
            "Api",
            # The name is a label, not an identifier; callers use the id.
            api_name=f"{Stack.of(self).stack_name}-{id}",
            create_default_stage=False,
        )
        access_log = log_group(self, "AccessLog", config=config)
        stage = apigatewayv2.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigatewayv2.ThrottleSettings(
                rate_limit=config.api_rate_limit, burst_limit=config.api_burst_limit
            ),
        )
        # There is no class of CDK's own for a destination and a format.
        cast(
            "apigatewayv2.CfnStage", stage.node.default_child
        ).access_log_settings = apigatewayv2.CfnStage.AccessLogSettingsProperty(
            destination_arn=access_log.log_group_arn, format=json.dumps(_ACCESS_LOG)
        )
        server_error_alarm(self, self.api.metric_server_error(period=FIVE_MINUTES, statistic="Sum"))

    @property
    def url(self) -> str:
        """The API's address, without a trailing slash."""
        return self.api.api_endpoint

    def post(self, path: str, function: PythonFunction) -> None:
        """Route `POST /<path>` to `function`."""
        self._route(apigatewayv2.HttpMethod.POST, path, function)

    def get(self, path: str, function: PythonFunction) -> None:
        """Route `GET /<path>` to `function`."""
        self._route(apigatewayv2.HttpMethod.GET, path, function)

    def _route(self, method: apigatewayv2.HttpMethod, path: str, function: PythonFunction) -> None:
        [route] = self.api.add_routes(
            path=f"/{path}",
            methods=[method],
            integration=HttpLambdaIntegration(f"{function.node.id}Integration", function.function),
        )
        acknowledge(
            route,
            "AwsSolutions-APIG4",
            "The callers are Slack, which signs by a scheme of its own, and curl with a token: "
            "the functions check both, and answer 401 before they look at the content.",
        )
