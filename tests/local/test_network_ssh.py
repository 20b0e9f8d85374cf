"""The product's own ssh command lines against a real sshd, where Debian's openssh-server is.

The local cloud has no machine behind a host's address. Here one stands in for it: an sshd that
listens on the loopback address only, lets in nobody but a stack's key pair, and ends with the test.
The key is fetched as `./odyssey network key` does it.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import stat
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from odyssey_cli.flows.network import keys, ssh
from odyssey_cli.flows.network.key_files import write_once
from tests.local.templates import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.target import Target

_SSHD = Path("/usr/sbin/sshd")
# sshd changes into it before anybody is logged in, and starts as root only if it is there.
_EMPTY = Path("/run/sshd")
_CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey "{folder}/host_key"
AuthorizedKeysFile "{folder}/authorized_keys"
PidFile none
# What Amazon Linux has, and no other way in.
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowUsers {user}
PermitRootLogin prohibit-password
# Needs root, and the user may have no password or a locked account on a test machine.
UsePAM no
# The keys lie below /tmp, which everybody may write to.
StrictModes no
AcceptEnv LANG LC_*
SetEnv LC_ALL=C.UTF-8
"""


@dataclass(frozen=True)
class Machine:
    """A machine with an sshd, and the key that opens it."""

    key: ssh.Key
    port: int
    user: str

    def host(self, name: str) -> ssh.Host:
        return ssh.Host("127.0.0.1", name, user=self.user, port=self.port)

    def run(
        self, *words: str, jump: bool = False, name: str = "i-1"
    ) -> subprocess.CompletedProcess[str]:
        """Run a command by the product's command line, straight or through the machine itself."""
        proxy = ssh.through_host(self.key, self.host("i-jump")) if jump else ""
        line = ssh.command(self.key, self.host(name), words, proxy=proxy)
        # A login that fails must not ask anybody who happens to be at a terminal.
        return subprocess.run(
            line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
            env={**os.environ, "SSH_ASKPASS_REQUIRE": "never"}, start_new_session=True,
        )  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """A stack's key pair: the public key as EC2 gives it, and the private one as it was fetched."""

    public: str
    fetched: keys.Saved


@pytest.fixture(scope="module")
def pair(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    # A start of sshd is in doubt only where there is one; without one no key is needed.
    if not _SSHD.exists() or shutil.which("ssh") is None:
        pytest.skip("there is no /usr/sbin/sshd here; Debian's is in openssh-server")
    # GIVEN a key pair as the stack Network makes it, and the outputs that it has of it
    stack = Stack(target)
    name = stack.name
    properties = {"KeyName": name, "KeyType": "ed25519"}
    made = stack.create(KeyPair={"Type": "AWS::EC2::KeyPair", "Properties": properties})
    assert made == "CREATE_COMPLETE", stack.reasons()
    try:
        [found] = target.client("ec2").describe_key_pairs(KeyNames=[name], IncludePublicKey=True)[
            "KeyPairs"
        ]
        id_ = found["KeyPairId"]
        outputs = {"KeyPairId": id_, "KeyParameter": f"/ec2/keypair/{id_}"}
        # WHEN the product fetches it
        file = tmp_path_factory.mktemp("fetched") / "keys" / f"{id_}.pem"
        yield Pair(found["PublicKey"], keys.save(target, outputs, file))
    finally:
        stack.delete()


@pytest.fixture(scope="module")
def machine(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made_empty = os.geteuid() == 0 and not _EMPTY.exists()
    if made_empty:
        _EMPTY.mkdir(mode=0o755)
    try:
        yield from _started(tmp_path_factory.mktemp("an sshd"), pair)
    finally:
        if made_empty:
            _EMPTY.rmdir()


def _started(folder: Path, pair: Pair) -> Iterator[Machine]:
    # The machine has a key of its own, and on AWS is given the pair's public key by EC2.
    write_once(folder / "host_key", _text(Ed25519PrivateKey.generate()))
    (folder / "authorized_keys").write_text(f"{pair.public}\n")
    key = ssh.Key(pair.fetched.file, folder / "keys" / "known_hosts")
    key.known_hosts.parent.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = getpass.getuser()
    (folder / "config").write_text(_CONFIG.format(port=port, folder=folder, user=user))
    with (folder / "log").open("w") as log:
        sshd = subprocess.Popen(
            [_SSHD, "-D", "-e", "-f", folder / "config"], stdin=subprocess.DEVNULL, stderr=log
        )
    try:
        if not _listens(sshd, port):
            pytest.skip(f"sshd does not start here: {(folder / 'log').read_text().strip()}")
        yield Machine(key, port, user)
    finally:
        sshd.terminate()
        sshd.wait(10)


def _text(private: Ed25519PrivateKey) -> str:
    text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return text.decode()


def _listens(sshd: subprocess.Popen[bytes], port: int) -> bool:
    for _ in range(100):
        if sshd.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def test_the_key_that_logs_in_is_the_key_pairs_and_only_its_owner_reads_it(
    pair: Pair, machine: Machine, target: Target
) -> None:
    # GIVEN the key that was fetched
    assert pair.fetched.is_new
    assert machine.key.file == pair.fetched.file
    assert stat.S_IMODE(pair.fetched.file.stat().st_mode) == 0o400
    # THEN its fingerprint is the one that EC2 has
    found = target.client("ec2").describe_key_pairs(KeyPairIds=[pair.fetched.file.stem])
    assert found["KeyPairs"][0]["KeyFingerprint"] == pair.fetched.fingerprint
    # AND it opens the machine
    done = machine.run("true")
    assert done.returncode == 0, done.stderr


def test_the_key_logs_in_and_words_arrive_as_they_are(machine: Machine) -> None:
    words = ["printf", "%s|", "two words", "Åsa café 😀", "$HOME", "it's", "a;b", "*", "-n", ""]
    done = machine.run(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(f"{each}|" for each in words[2:])


def test_a_single_word_is_a_line_for_its_shell(machine: Machine) -> None:
    done = machine.run("cd / && pwd | tr / x; echo Åsa")
    assert (done.returncode, done.stdout) == (0, "x\nÅsa\n"), done.stderr


@pytest.mark.parametrize("jump", [False, True])
def test_the_exit_code_is_the_commands_own(jump: bool, machine: Machine) -> None:
    assert machine.run("exit 7", jump=jump).returncode == 7
    assert machine.run("true", jump=jump).returncode == 0


def test_a_jump_through_another_host_needs_the_same_key_only(machine: Machine) -> None:
    done = machine.run("echo", "Åsa 😀", jump=True, name="i-private")
    assert (done.returncode, done.stdout) == (0, "Åsa 😀\n"), done.stderr


def test_host_keys_are_kept_under_the_instances_ids(machine: Machine) -> None:
    # GIVEN
    assert machine.run("true", name="i-kept").returncode == 0
    # THEN the host is known by its id, whatever its address (Debian keeps the names as hashes)
    looked_up = [
        subprocess.run(["ssh-keygen", "-F", name, "-f", machine.key.known_hosts], check=False)
        for name in ("i-kept", f"[127.0.0.1]:{machine.port}")
    ]
    assert [each.returncode for each in looked_up] == [0, 1]
    # AND an id with another host key is refused
    other = Ed25519PrivateKey.generate().public_key()
    line = other.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    with machine.key.known_hosts.open("a") as file:
        file.write(f"i-other {line}\n")
    done = machine.run("true", name="i-other")
    assert done.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in done.stderr


def test_another_key_does_not_log_in(machine: Machine, tmp_path: Path) -> None:
    other = ssh.Key(tmp_path / "other", tmp_path / "known_hosts")
    write_once(other.file, _text(Ed25519PrivateKey.generate()))
    done = Machine(other, machine.port, machine.user).run("true")
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr
