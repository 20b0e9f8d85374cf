"""AWS's public parameters for the newest Amazon Linux 2023, and a newer release on demand.

Clients can read them and cannot write them; CloudFormation resolves them at every stack
operation. To see what a new image does to a stack, publish one over HTTP:

- `PUT /_odyssey/ami`: publishes a newer release for both architectures;
- `GET /_odyssey/ami`: changes nothing.

Both answer the newest release: `{"release": 1, "images": {"arm64": "ami-…", "x86_64": "ami-…"},
"parameters": {"/aws/service/…": "ami-…"}}`, and want the header `x-odyssey`, so that a bucket may
have a key of that name.

- "Calling AMI public parameters in Parameter Store"
  https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters-ami.html
- "Launching AL2023 using the SSM parameter and AWS CLI" (the names; `kernel-default` is 6.1)
  https://docs.aws.amazon.com/linux/al2023/ug/ec2.html
- "Specify existing resources at runtime with CloudFormation-supplied parameter types"
  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html
read 2026-11-21.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_cloud import instance_images
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_cloud.transport import App, Receive, Scope, Send

PATH = "/_odyssey/ami"
_SSM = "ministack.services.ssm"
_IMAGES = Hook(_SSM, "_PUBLIC_AMI_PARAMETERS")
_PUBLIC = Hook(_SSM, "_public_parameter", ("name",))
_BY_PATH = Hook(_SSM, "_get_parameters_by_path", ("data",))
_OUT = Hook(_SSM, "_param_out", ("param", "with_decryption"))
_JSON = Hook(_SSM, "json_response")
HOOKS = (*instance_images.HOOKS, _IMAGES, _PUBLIC, _BY_PATH, _OUT, _JSON)

_FAMILY = "/aws/service/ami-amazon-linux-latest"
_DEFAULT_KERNEL = "6.1"

Parameter = dict[str, Any]


def parameters_of(release: int) -> dict[str, str]:
    """Return the image that each parameter names once the release is the newest."""
    named = {f"kernel-{kernel}": kernel for kernel in instance_images.KERNELS}
    named["kernel-default"] = _DEFAULT_KERNEL
    return {
        f"{_FAMILY}/al2023-ami-{name}-{architecture}": instance_images.image_id(
            release, kernel, architecture
        )
        for name, kernel in named.items()
        for architecture in instance_images.ARCHITECTURES
    }


def publish() -> None:
    """Publish a newer release: its images, and the parameters' new values."""
    # To the microsecond: of two releases, the one with the later date is the newer.
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    find(_IMAGES).update(parameters_of(instance_images.publish(now)))


def _newest() -> dict[str, Any]:
    release = instance_images.newest()
    images = {
        architecture: instance_images.image_id(release, _DEFAULT_KERNEL, architecture)
        for architecture in instance_images.ARCHITECTURES
    }
    return {"release": release, "images": images, "parameters": parameters_of(release)}


def _with_version(public: Callable[[str], Parameter | None]) -> Callable[[str], Parameter | None]:
    def found(name: str) -> Parameter | None:
        parameter = public(name)
        if parameter is not None and name in parameters_of(0):
            parameter["Version"] = instance_images.newest() + 1
            parameter["DataType"] = "text"
        return parameter

    return found


def _with_public(by_path: Callable[[Parameter], Any]) -> Callable[[Parameter], Any]:
    """List the family, which is not among the account's own parameters."""

    def listed(data: Parameter) -> Any:  # noqa: ANN401 -- a response
        if str(data.get("Path", "")).rstrip("/") != _FAMILY:
            return by_path(data)
        names = sorted(find(_IMAGES))
        start = int(data.get("NextToken") or 0)
        end = start + int(data.get("MaxResults") or 10)
        page = [find(_OUT)(find(_PUBLIC)(name)) for name in names[start:end]]
        more = {"NextToken": str(end)} if end < len(names) else {}
        return find(_JSON)({"Parameters": page, **more})

    return listed


def install() -> None:
    """Publish the first release."""
    instance_images.install()
    find(_IMAGES).update(parameters_of(instance_images.newest()))
    _PUBLIC.replace(_with_version)
    _BY_PATH.replace(_with_public)


def with_releases(app: App) -> App:
    """Put the path that publishes in front of an app."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        wanted = scope["type"] == "http" and scope["path"] == PATH
        if not wanted or b"x-odyssey" not in dict(scope["headers"]):
            await app(scope, receive, send)
            return
        if scope["method"] == "PUT":
            publish()
        body = json.dumps(_newest()).encode()
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return wrapped
