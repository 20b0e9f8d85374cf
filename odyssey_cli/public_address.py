"""The public address from which this machine's connections come."""

from __future__ import annotations

import http.client
from ipaddress import AddressValueError, IPv4Address

from odyssey_cli.errors import OdysseyError

# Named for this by "Security group rules for different use cases", Amazon EC2 User Guide,
# 2026-11-21.
_HOST = "checkip.amazonaws.com"
_SECONDS = 10


def public_address() -> str:
    """Ask AWS from which IPv4 address it sees us.

    Raises:
        OdysseyError: there was no answer, or none that is an IPv4 address.
    """
    connection = http.client.HTTPSConnection(_HOST, timeout=_SECONDS)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse().read(100).decode("ascii", errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise OdysseyError(
            f"{_HOST} did not say which address you have: {error}.",
            "Name it yourself: -c ssh_cidr=203.0.113.7/32.",
        ) from error
    finally:
        connection.close()
    try:
        return str(IPv4Address(answer))
    except AddressValueError:
        raise OdysseyError(
            f"{_HOST} sees you at {answer!r}, which is no IPv4 address.",
            "Name one yourself: -c ssh_cidr=203.0.113.7/32.",
        ) from None
