"""The local cloud's server: `python -m local_cloud --state FOLDER`, started by `odyssey up`.

It leads a process group of its own, and everything it starts (the functions' workers) stays in
that group, so that one signal to the group ends all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import cast

from local_cloud import (
    access_denied,
    addresses,
    async_invocations,
    batch_actions,
    binary_media,
    buckets,
    budgets,
    clock,
    code_folders,
    connect_endpoints,
    decisions,
    ec2_calls,
    environments,
    event_archives,
    event_bus,
    event_loop,
    event_targets,
    faults,
    firehose,
    firehose_streams,
    flow_logs,
    function_errors,
    gateway_endpoints,
    ground,
    http_apis,
    iam_groups,
    instance_profiles,
    instances,
    key_pairs,
    managed_keys,
    mappings,
    nat_gateways,
    network_acls,
    network_interfaces,
    objects,
    permissions,
    public_parameters,
    queue_poller,
    route_tables,
    seclusion,
    secret_values,
    security_group_rules,
    security_groups,
    settling,
    sns_delivery,
    stream_poller,
    topic_attributes,
    transport,
    vpcs,
)

PORT_TAKEN = 98
_PIECES = (
    access_denied,
    addresses,
    async_invocations,
    batch_actions,
    binary_media,
    buckets,
    budgets,
    code_folders,
    connect_endpoints,
    decisions,
    environments,
    event_archives,
    event_bus,
    event_targets,
    firehose,
    firehose_streams,
    flow_logs,
    function_errors,
    gateway_endpoints,
    http_apis,
    iam_groups,
    instance_profiles,
    instances,
    key_pairs,
    managed_keys,
    nat_gateways,
    network_acls,
    network_interfaces,
    objects,
    public_parameters,
    queue_poller,
    route_tables,
    secret_values,
    security_group_rules,
    security_groups,
    settling,
    sns_delivery,
    stream_poller,
    topic_attributes,
    vpcs,
)
_GROUND = (seclusion, clock, ec2_calls, mappings, permissions, *_PIECES)
_HOOKS = tuple(hook for piece in _GROUND for hook in piece.HOOKS)
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_BACKLOG = 512


def listen(port: int) -> socket.socket:
    """Bind 127.0.0.1 and listen; raises OSError when the port is taken.

    Args:
        port: The port, or 0 for any free one.
    """
    # macOS lets a second socket have the port when the first one is bound to all addresses.
    with socket.socket() as caller:
        caller.settimeout(0.5)
        if port and caller.connect_ex(("127.0.0.1", port)) == 0:
            raise OSError(errno.EADDRINUSE, "somebody answers there")
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(_BACKLOG)
    return listening


def announce(state: Path, identity: dict[str, object]) -> None:
    """Write `cloud.json`, which tells the commands where the cloud is."""
    draft = state / f"cloud.json.{os.getpid()}"
    draft.write_text(json.dumps(identity) + "\n")
    draft.replace(state / "cloud.json")


def end(state: Path) -> None:
    """End this process and everything it started; does not return.

    Nothing is drained: what a local cloud holds ends with it.
    """
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError, ValueError, KeyError):
        if json.loads((state / "cloud.json").read_text())["pid"] == os.getpid():
            (state / "cloud.json").unlink()
    # Workers end on SIGTERM unless a handler of theirs is in the way; SIGKILL ends the rest of
    # the group, and this process last.
    os.killpg(os.getpgrp(), signal.SIGTERM)
    time.sleep(0.05)
    shutil.rmtree(state / "tmp", ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def end_with_parent(state: Path) -> None:
    """End when stdin, a pipe that the starter holds, is closed: the starter is gone."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(2)
        end(state)  # the main thread did not get round to it

    threading.Thread(target=watch, daemon=True, name="parent").start()


def prepare(state: Path, port: int, clock_scale: float) -> transport.App:
    """Load MiniStack into this process, extended; exits with a sentence if it does not fit."""
    tmp = state / "tmp"
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(parents=True)
    clean = seclusion.environment(os.environ, port=port, tmp=tmp)
    os.environ.clear()
    os.environ.update(clean)

    version = metadata.version("ministack")
    if said := ground.problems(version, _HOOKS):
        sys.exit("\n".join(said))

    # MiniStack reads the environment while it is imported, hence not at the top of the file.
    from ministack.app import app  # noqa: PLC0415
    from ministack.core import hypercorn_compat  # noqa: PLC0415

    hypercorn_compat.install()
    seclusion.install(tmp)
    clock.install(clock_scale)
    for piece in _PIECES:
        piece.install()
    return event_loop.captured(cast("transport.App", app))


async def serve(app: transport.App, listening: socket.socket) -> None:
    """Serve `app` on the socket until the process ends."""
    from hypercorn.asyncio import serve as hypercorn_serve  # noqa: PLC0415
    from hypercorn.config import Config  # noqa: PLC0415

    config = Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.backlog = _BACKLOG
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    await hypercorn_serve(app, config, shutdown_trigger=asyncio.Event().wait)


def main() -> None:
    """Read the arguments, take the port, and run."""
    parser = argparse.ArgumentParser(prog="local_cloud", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--with-parent", action="store_true")
    parser.add_argument("--clock-scale", type=float, default=clock.DEFAULT_SCALE)
    arguments = parser.parse_args()

    state = arguments.state.resolve()
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    for number in _ENDING:
        signal.signal(number, lambda *_: end(state))
    try:
        listening = listen(arguments.port)
    except OSError as error:
        sys.stderr.write(f"Port {arguments.port} of 127.0.0.1 cannot be had: {error}\n")
        sys.exit(PORT_TAKEN if error.errno == errno.EADDRINUSE else 1)
    if arguments.with_parent:
        end_with_parent(state)

    port = listening.getsockname()[1]
    identity = {
        "pid": os.getpid(),
        "pgid": os.getpgrp(),
        "port": port,
        "endpoint": f"http://127.0.0.1:{port}",
        "started_at": time.time(),
        "clock_scale": arguments.clock_scale,
    }
    app = prepare(state, port, arguments.clock_scale)
    app = public_parameters.with_releases(faults.with_faults(app))
    app = decisions.with_decisions(app)
    app = transport.marked_as_tls(app)
    app = transport.with_health(app, identity)
    app = transport.for_programs_only(app)
    app = transport.when_ready(app, lambda: announce(state, identity))
    asyncio.run(serve(app, listening))


if __name__ == "__main__":
    main()
