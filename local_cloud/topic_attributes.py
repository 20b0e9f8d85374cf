"""CloudFormation's topics: the attributes that MiniStack leaves out of a template.

A topic's key, and how it signs and traces, are attributes that GetTopicAttributes shows; the local
cloud encrypts nothing with them.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html
https://docs.aws.amazon.com/sns/latest/api/API_GetTopicAttributes.html
read 2026-11-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Made = tuple[str, dict[str, str]]

_HANDLERS = Hook("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
_TOPICS = Hook("ministack.services.sns", "_topics")
HOOKS = (_HANDLERS, _TOPICS)

NAMES = ("KmsMasterKeyId", "SignatureVersion", "TracingConfig")


def reconcile(attributes: dict[str, str], properties: Mapping[str, Any]) -> None:
    """Make a topic's attributes those of its template."""
    for name in NAMES:
        if properties.get(name):
            attributes[name] = str(properties[name])
        else:
            attributes.pop(name, None)


def install() -> None:
    """Set the attributes after MiniStack has made or changed a topic."""
    handlers = find(_HANDLERS)["AWS::SNS::Topic"]
    handlers["create"] = _then_set(handlers["create"], properties_at=1)
    handlers["update"] = _then_set(handlers["update"], properties_at=2)


def _then_set(make: Callable[..., Made], properties_at: int) -> Callable[..., Made]:
    def made(*arguments: Any, **named: Any) -> Made:  # noqa: ANN401 -- MiniStack's
        arn, attributes = make(*arguments, **named)
        reconcile(find(_TOPICS)[arn]["attributes"], arguments[properties_at])
        return arn, attributes

    return made
