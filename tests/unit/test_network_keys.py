"""The private key: fetched, held against the key pair, kept out of repositories, never overwritten.

Key pairs are made here, in the form that EC2 gives them in.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from odyssey_cli import paths
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.network import key_files, keys, reading
from tests.unit.networks import with_nat

if TYPE_CHECKING:
    from pathlib import Path

OUTPUTS = {
    "VpcId": "vpc-1",
    "PrivateHostId": "i-1",
    "KeyPairId": "key-0123456789abcdef0",
    "KeyParameter": "/ec2/keypair/key-0123456789abcdef0",
}
# Deploying again makes no key pair anew, and without its options would take the rest away.
ANEW = (
    "A deployment does not bring back what was deleted by hand: run ./odyssey destroy Network "
    "--target aws, which takes the hosts with it, then ./odyssey deploy Network "
    "-c nat_gateway=true -c private_host=jump -c ssh_cidr=203.0.113.7/32 --target aws. "
    "Give your other options (such as budget_email) again, too, or keep them in cdk.json."
)
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")


def text_of(private: Any) -> str:
    text: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return text.decode()


def fingerprint_of(private: Any) -> str:
    """Return it as OpenSSH does, from the public key's line."""
    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return base64.b64encode(hashlib.sha256(base64.b64decode(line.split()[1])).digest()).decode()


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Call")


class FakeTarget:
    """A target whose EC2 and SSM know one key pair.

    Attributes:
        key: what the parameter holds; None for no parameter.
        fingerprint: what EC2 says of the key pair; None for no key pair.
    """

    local = None

    def __init__(self) -> None:
        private = Ed25519PrivateKey.generate()
        self.key: str | None = text_of(private)
        self.fingerprint: str | None = fingerprint_of(private)
        self.calls: list[str] = []

    def client(self, service: str) -> Any:
        self.calls.append(service)
        return self

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> Any:  # noqa: N803
        assert Name == OUTPUTS["KeyParameter"]
        assert WithDecryption
        if self.key is None:
            raise refused("ParameterNotFound")
        return {"Parameter": {"Value": self.key}}

    def describe_key_pairs(self, *, KeyPairIds: list[str]) -> Any:  # noqa: N803
        assert KeyPairIds == [OUTPUTS["KeyPairId"]]
        if self.fingerprint is None:
            raise refused("InvalidKeyPair.NotFound")
        return {"KeyPairs": [{"KeyPairId": KeyPairIds[0], "KeyFingerprint": self.fingerprint}]}


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> FakeTarget:
    monkeypatch.setattr(reading, "read", lambda *_: with_nat())
    return FakeTarget()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git work tree that ignores *.pem and ignored/."""
    tree = tmp_path / "a repository"
    (tree / "inner").mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", tree], check=True)
    (tree / ".gitignore").write_text("*.pem\n/ignored/\n")
    return tree


def save(target: FakeTarget, file: Path) -> keys.Saved:
    return keys.save(target, OUTPUTS, file)  # type: ignore[arg-type]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_is_in_a_file_that_only_its_owner_reads(target: FakeTarget, tmp_path: Path) -> None:
    # GIVEN a folder that is not there yet, and a mask that takes nothing away
    file = tmp_path / "new" / "key.pem"
    before = os.umask(0)
    # WHEN
    try:
        saved = save(target, file)
    finally:
        os.umask(before)
    # THEN
    assert (saved.file, saved.fingerprint, saved.is_new) == (file, target.fingerprint, True)
    assert file.read_text() == target.key
    assert mode(file) == 0o400
    assert mode(file.parent) == 0o700
    assert list(file.parent.iterdir()) == [file]


def test_the_last_line_ends_whatever_the_parameter_holds(
    target: FakeTarget, tmp_path: Path
) -> None:
    whole = target.key
    assert whole is not None
    target.key = f"\n{whole.strip()}"
    assert save(target, tmp_path / "key").file.read_text() == whole


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no OpenSSH here")
def test_the_fingerprint_is_that_of_ssh_keygen(target: FakeTarget, tmp_path: Path) -> None:
    saved = save(target, tmp_path / "key")
    done = subprocess.run(
        ["ssh-keygen", "-lf", saved.file], capture_output=True, text=True, check=True
    )
    assert f" SHA256:{saved.fingerprint.rstrip('=')} " in done.stdout


def test_the_padding_of_a_fingerprint_makes_no_difference(
    target: FakeTarget, tmp_path: Path
) -> None:
    assert target.fingerprint is not None
    target.fingerprint = target.fingerprint.rstrip("=")
    assert save(target, tmp_path / "key").fingerprint == target.fingerprint


def test_a_key_of_another_pair_is_not_saved(target: FakeTarget, tmp_path: Path) -> None:
    target.fingerprint = fingerprint_of(Ed25519PrivateKey.generate())
    with pytest.raises(OdysseyError, match="its key pair has") as raised:
        save(target, tmp_path / "key")
    assert raised.value.remedy == f"It would open no host, so it was not saved. {ANEW}"
    assert not (tmp_path / "key").exists()
    assert "PRIVATE" not in str(raised.value)


@pytest.mark.parametrize("key", ["", "something", "ecdsa", "cut"])
def test_what_is_no_ed25519_key_is_not_saved_nor_shown(
    key: str, target: FakeTarget, tmp_path: Path
) -> None:
    # GIVEN
    whole = target.key
    assert whole is not None
    ecdsa = text_of(ec.generate_private_key(ec.SECP256R1()))
    target.key = {"ecdsa": ecdsa, "cut": whole[:-90]}.get(key, key)
    # WHEN
    with pytest.raises(OdysseyError, match=OUTPUTS["KeyParameter"]) as raised:
        save(target, tmp_path / "key")
    # THEN
    assert raised.value.remedy == ANEW
    assert list(tmp_path.iterdir()) == []
    assert whole.splitlines()[2] not in str(raised.value)


def test_without_a_parameter_it_says_how_to_get_a_new_key(
    target: FakeTarget, tmp_path: Path
) -> None:
    target.key = None
    with pytest.raises(OdysseyError, match="the private key is gone") as raised:
        save(target, tmp_path / "key")
    assert raised.value.remedy.endswith(f"a new one comes with a new key pair. {ANEW}")


@pytest.mark.parametrize("error", [refused("UnauthorizedOperation"), reading.NoVpcError("", "")])
def test_where_the_network_cannot_be_read_its_outputs_tell_what_is_there(
    error: Exception, target: FakeTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> None:
        raise error

    monkeypatch.setattr(reading, "read", read)
    target.key = None
    with pytest.raises(OdysseyError, match="deploy Network -c private_host=jump --target aws"):
        save(target, tmp_path / "key")


def test_without_a_key_pair_nothing_is_saved(target: FakeTarget, tmp_path: Path) -> None:
    target.fingerprint = None
    with pytest.raises(OdysseyError, match="There is no key pair key-0123456789abc") as raised:
        save(target, tmp_path / "key")
    assert raised.value.remedy == ANEW
    assert list(tmp_path.iterdir()) == []


def test_other_refusals_are_not_taken_for_a_missing_key(
    target: FakeTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(**_: object) -> None:
        raise refused("AccessDeniedException")

    monkeypatch.setattr(target, "get_parameter", denied)
    with pytest.raises(ClientError, match="AccessDenied"):
        save(target, tmp_path / "key")


def test_the_same_key_again_is_there_already(target: FakeTarget, tmp_path: Path) -> None:
    # GIVEN a key that others can read by now
    file = tmp_path / "key"
    save(target, file)
    before = file.stat()
    file.chmod(0o644)
    # WHEN
    saved = save(target, file)
    # THEN
    assert not saved.is_new
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert mode(file) == 0o400


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link"])
def test_nothing_is_ever_overwritten(kind: str, target: FakeTarget, tmp_path: Path) -> None:
    # GIVEN
    file, other = tmp_path / "key", tmp_path / "other"
    if kind == "folder":
        file.mkdir()
    elif kind == "file":
        file.write_text("mine")
    else:
        file.symlink_to(other)
        if kind == "link":
            other.write_text("mine")
    # WHEN
    with pytest.raises(OdysseyError, match="Nothing was overwritten"):
        save(target, file)
    # THEN
    assert file.is_symlink() == ("link" in kind)
    assert kind == "folder" or not file.exists() or file.read_text() == "mine"
    assert other.exists() == (kind == "link")
    assert not list(tmp_path.glob(".key*"))


def test_a_file_that_appears_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN somebody who writes the file after it was found missing
    file = tmp_path / "key"

    def meanwhile(**options: Any) -> tuple[int, str]:
        file.write_text("mine")
        return mkstemp(**options)

    mkstemp = key_files.tempfile.mkstemp
    monkeypatch.setattr(key_files.tempfile, "mkstemp", meanwhile)
    # THEN
    with pytest.raises(OdysseyError, match="Nothing was overwritten"):
        key_files.write_once(file, "a key\n")
    assert file.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_cannot_be_made_is_an_error(target: FakeTarget, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OdysseyError, match="cannot be saved"):
        save(target, tmp_path / "file" / "key")


@needs_git
@pytest.mark.parametrize("name", ["key", "inner/key", "new/key", "inner/../key", ".git/key"])
def test_a_file_that_could_be_committed_is_refused(
    name: str, target: FakeTarget, repository: Path
) -> None:
    with pytest.raises(OdysseyError, match="could be committed"):
        save(target, repository / name)
    assert target.calls == []
    assert not (repository / name).exists()


@needs_git
@pytest.mark.parametrize("name", ["key.pem", "inner/key.pem", "new/key.pem", "ignored/key"])
def test_a_file_that_git_ignores_is_not(name: str, target: FakeTarget, repository: Path) -> None:
    assert save(target, repository / name).is_new


@needs_git
def test_a_file_that_is_tracked_already_is_refused_though_its_name_is_ignored(
    target: FakeTarget, repository: Path
) -> None:
    (repository / "key.pem").write_text("")
    subprocess.run(["git", "-C", repository, "add", "--force", "key.pem"], check=True)
    with pytest.raises(OdysseyError, match="could be committed"):
        save(target, repository / "key.pem")


@needs_git
def test_a_link_into_a_repository_is_refused(
    target: FakeTarget, repository: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(repository / "inner")
    with pytest.raises(OdysseyError, match="could be committed"):
        save(target, tmp_path / "link" / "key")


@needs_git
def test_the_callers_git_variables_have_no_say(
    target: FakeTarget, repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # GIVEN variables by which git would ask another repository, which ignores everything
    other = tmp_path / "other"
    subprocess.run(["git", "init", "--quiet", other], check=True)
    (other / ".git" / "info" / "exclude").write_text("*\n")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(repository))
    # THEN
    with pytest.raises(OdysseyError, match="could be committed"):
        save(target, repository / "key")


@pytest.mark.parametrize("name", ["key.pem", "inner/key.pem", ".git/key.pem"])
def test_without_git_every_file_of_a_repository_is_refused(
    name: str, target: FakeTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OdysseyError, match="could be committed"):
        save(target, tmp_path / name)


def test_without_git_our_own_folder_for_keys_is_taken(
    target: FakeTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(paths, "STATE", tmp_path / ".odyssey")
    assert save(target, keys.default_file(OUTPUTS)).is_new
    assert keys.default_file(OUTPUTS).parent == tmp_path / ".odyssey" / "keys"


@needs_git
@pytest.mark.parametrize("name", [".odyssey/keys/key-1.pem", "key.pem", "docs/any.pem"])
def test_this_repository_ignores_keys(name: str) -> None:
    if not (paths.ROOT / ".git").exists():
        pytest.skip("this is no clone")
    key_files.refuse_repository(paths.ROOT / name)
