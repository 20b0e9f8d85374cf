"""The command lines that lead onto a host. tests/local/test_network_ssh.py runs them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.network import ssh

KEY = ssh.Key(Path("/a folder/keys/key-1.pem"), Path("/a folder/keys/known_hosts"))
HOST = ssh.Host("198.51.100.10", "i-1")
OPTIONS = [
    "-i", "/a folder/keys/key-1.pem",
    "-o", "IdentitiesOnly=yes",
    "-o", 'UserKnownHostsFile="/a folder/keys/known_hosts"',
    "-o", "StrictHostKeyChecking=accept-new",
    "-o", "HostKeyAlias=i-1",
]  # fmt: skip


def test_a_shell_is_what_one_gets_without_a_command() -> None:
    assert ssh.command(KEY, HOST) == ["ssh", *OPTIONS, "ec2-user@198.51.100.10"]


def test_a_single_word_is_a_line_for_the_hosts_shell() -> None:
    line = ssh.command(KEY, HOST, ["uname -a; echo 'Åsa' | wc"])
    assert line[-3:] == ["ec2-user@198.51.100.10", "--", "uname -a; echo 'Åsa' | wc"]


def test_several_words_arrive_as_they_are() -> None:
    words = ["echo", "two words", "$HOME", "it's", "Åsa 😀", "-n", ""]
    line = ssh.command(KEY, HOST, words)
    assert len(line) == len(ssh.command(KEY, HOST)) + 2
    assert shlex.split(line[-1]) == words


def test_a_command_that_begins_with_a_dash_is_no_option_of_ssh() -> None:
    line = ssh.command(KEY, HOST, ["-oProxyCommand=evil"])
    assert line[line.index("ec2-user@198.51.100.10") + 1] == "--"


def test_user_and_port_may_be_others() -> None:
    line = ssh.command(KEY, ssh.Host("127.0.0.1", "test", user="me", port=2222))
    assert line[-3:] == ["-p", "2222", "me@127.0.0.1"]


def test_an_endpoint_is_a_detour_by_the_aws_cli() -> None:
    proxy = ssh.through_endpoint("i-2")
    line = ssh.command(KEY, ssh.Host("10.0.32.10", "i-2"), proxy=proxy)
    assert line[-3:] == [
        "-o",
        "ProxyCommand=aws ec2-instance-connect open-tunnel --instance-id i-2",
        "ec2-user@10.0.32.10",
    ]


def test_another_host_is_a_detour_by_ssh_with_the_same_key() -> None:
    proxy = ssh.through_host(KEY, HOST)
    assert shlex.split(proxy) == ["ssh", *OPTIONS, "-W", "%h:%p", "ec2-user@198.51.100.10"]
    line = ssh.command(KEY, ssh.Host("10.0.32.10", "i-2"), ["id"], proxy=proxy)
    assert f"ProxyCommand={proxy}" in line
    assert "HostKeyAlias=i-2" in line


@pytest.mark.parametrize("character", ["%", "$", '"', "\\", "\n"])
@pytest.mark.parametrize("of", ["file", "known_hosts"])
def test_a_path_that_ssh_would_read_in_its_own_way_is_refused(character: str, of: str) -> None:
    odd = Path(f"/a{character}h/key")
    key = ssh.Key(odd, Path("/keys")) if of == "file" else ssh.Key(Path("/key"), odd)
    with pytest.raises(OdysseyError, match="literally"):
        ssh.command(key, HOST)
    with pytest.raises(OdysseyError, match="literally"):
        ssh.through_host(key, HOST)


def test_session_manager_needs_the_id_only() -> None:
    assert ssh.session("i-1") == ["aws", "ssm", "start-session", "--target", "i-1"]
