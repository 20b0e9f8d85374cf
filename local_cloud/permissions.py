"""What a function's role allows Lambda to do in its name, and who may call the function.

MiniStack checks the calls that functions and clients make. What an event source mapping does
with the function's role, it does unchecked. On AWS the role needs these permissions, and without
them nothing is read or sent:

- "Execution role permissions" for DynamoDB Streams
  https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
- "Configuring execution role permissions" for queues
  https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
- "Capturing records of Lambda asynchronous invocations" (destinations, dead-letter queues)
  https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
read 2026-11-21. Not evaluated: the use of a KMS key on the role's behalf.

A service that invokes a function in its own name needs the function's own policy:
- "Granting Lambda function access to AWS services"
  https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-services.html
"""

from __future__ import annotations

from typing import Any

from local_cloud.decisions import THROUGH
from local_cloud.ground import Hook, find

_IAM = "ministack.core.iam_evaluator"
_CONTEXT = Hook(_IAM, "EvalContext")
_EVALUATE = Hook(_IAM, "evaluate", ("ctx", "policies", "limits"))
_COMBINE = Hook(
    _IAM,
    "combine_resource_policy",
    ("identity", "ctx", "policy", "owner_account", "required", "limits"),
)
_OF_RESOURCE = Hook(
    _IAM, "evaluate_resource_policy", ("doc", "ctx", "service", "named_only", "direct_only")
)
_ROLE_POLICIES = Hook(_IAM, "_gather_role_policies", ("role_name", "account_id"))
_BOUNDARY = Hook(_IAM, "_permissions_boundary", ("store", "name", "account_id"))
_RESOURCE_POLICY = Hook(_IAM, "_resource_policy", ("service", "resource_arn"))
_ROLES = Hook("ministack.services.iam", "_roles")
_BASE_RECORD = Hook(
    "ministack.services.lambda_svc", "_get_base_func_record_for_ref", ("function_ref",)
)
HOOKS = (
    _CONTEXT,
    _EVALUATE,
    _COMBINE,
    _OF_RESOURCE,
    _ROLE_POLICIES,
    _BOUNDARY,
    _RESOURCE_POLICY,
    _ROLES,
    _BASE_RECORD,
)


def refusal(
    config: dict[str, Any], actions: tuple[str, ...], resource: str, *, through: str
) -> str | None:
    """Say which of the actions the function's role may not do, None if it may do all.

    Args:
        config: The function's configuration.
        actions: IAM actions, e.g. "sqs:SendMessage".
        resource: ARN of what they are done to.
        through: What does them in the role's name, for the record of decisions.
    """
    role = str(config.get("Role", ""))
    account, name = role.split(":")[4] if role.count(":") >= 5 else "", role.rsplit("/", 1)[-1]  # noqa: PLR2004 -- parts of an ARN
    policies = find(_ROLE_POLICIES)(name, account)
    limits = find(_BOUNDARY)(find(_ROLES), name, account)
    own_policy = find(_RESOURCE_POLICY)(resource.split(":")[2], resource)
    for action in actions:
        context = find(_CONTEXT)(
            principal_arn=f"arn:aws:sts::{account}:assumed-role/{name}/{config['FunctionName']}",
            principal_type="AssumedRole",
            principal_account=account,
            action=action,
            resource_arn=resource,
            region=resource.split(":")[3],
            secure_transport=True,
            service_context={"aws:tagkeys": None, THROUGH: through},
        )
        result = find(_EVALUATE)(context, policies, *limits)
        if own_policy is not None:
            result = find(_COMBINE)(result, context, *own_policy, limits=limits)
        if result.decision != "Allow":
            return f"{role} may not {action} on {resource}."
    return None


def service_may_invoke(function_arn: str, service: str, source: str) -> bool:
    """Say whether a function's own policy lets a service invoke it.

    Args:
        function_arn: The function's ARN, with the qualifier it is invoked by, if any.
        service: The service's principal, e.g. "sns.amazonaws.com".
        source: ARN of what the service acts for.
    """
    function = find(_BASE_RECORD)(function_arn)[0]
    if function is None:
        return False
    context = find(_CONTEXT)(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="lambda:InvokeFunction",
        resource_arn=function_arn,
        region=function_arn.split(":")[3],
        secure_transport=True,
        service_context={"aws:sourcearn": source, "aws:sourceaccount": source.split(":")[4]},
    )
    decided = find(_OF_RESOURCE)(function["policy"], context, service=service)
    return bool(decided.decision == "Allow")
