"""From where SSH is allowed: somebody's own addresses, and never everybody's."""

from __future__ import annotations

import pytest

from odyssey_constructs.ssh_source import ssh_source


def refusal(text: str) -> str:
    with pytest.raises(ValueError, match=r"[.?]$") as refused:
        ssh_source(text)
    return str(refused.value)


@pytest.mark.parametrize(
    "text", ["203.0.113.7/32", "203.0.113.0/24", "203.0.113.128/25", "8.8.8.8/31"]
)
def test_one_address_or_an_office_may(text: str) -> None:
    assert ssh_source(text) == text


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("203.0.112.0/23", "512"),
        ("203.0.0.0/16", "65,536"),
        ("8.0.0.0/8", "16,777,216"),
        ("0.0.0.0/1", "2,147,483,648"),
        ("128.0.0.0/1", "2,147,483,648"),
        # The whole internet, in a notation that does not look like it.
        ("0.0.0.0/0.0.0.0", "4,294,967,296"),
        ("0.0.0.0/00", "4,294,967,296"),
    ],
)
def test_more_than_256_addresses_are_most_of_them_strangers(text: str, addresses: str) -> None:
    said = refusal(text)
    assert f"is {addresses} addresses, most of them strangers'" in said
    assert "at most a /24" in said
    assert "203.0.113.7/32" in said


@pytest.mark.parametrize("text", ["0.0.0.0/0", "203.0.113.7/0", "1.2.3.4/0"])
def test_the_whole_internet_is_refused_with_the_reason_and_two_ways_on(text: str) -> None:
    said = refusal(text)
    assert said.startswith(f"{text} is the whole internet")
    assert "--my-ip" in said
    assert "Session Manager" in said


@pytest.mark.parametrize("text", ["::/0", "2001:db8::1/128", "::ffff:203.0.113.7/128", "::1"])
def test_ipv6_is_not_what_the_network_has(text: str) -> None:
    assert refusal(text) == f"{text} is IPv6, and the network has IPv4 only."


def test_an_address_without_a_prefix_length_is_told_how_to_write_it() -> None:
    said = refusal("203.0.113.7")
    assert said == "'203.0.113.7' has no prefix length; one address is 203.0.113.7/32."


def test_bits_beyond_the_prefix_are_a_question() -> None:
    assert refusal("203.0.113.7/24") == (
        "203.0.113.7/24 has bits beyond its prefix; did you mean 203.0.113.0/24?"
    )


@pytest.mark.parametrize(
    "text",
    [
        *("10.0.0.0/24", "10.1.2.3/32", "10.255.255.255/32", "172.16.0.0/24", "172.31.255.255/32"),
        *("192.168.0.0/24", "192.168.255.255/32", "0.0.0.0/32", "100.64.0.1/32", "127.0.0.1/32"),
        *("169.254.169.254/32", "224.0.0.1/32", "255.255.255.255/32"),
    ],
)
def test_addresses_that_are_not_on_the_internet_would_let_nobody_in(text: str) -> None:
    said = refusal(text)
    assert said.startswith(f"{text} is no public address")
    assert "--my-ip" in said


@pytest.mark.parametrize(
    "text",
    [
        *("9.255.255.255/32", "11.0.0.0/32", "172.15.255.255/32", "172.32.0.0/32"),
        *("192.169.0.0/32", "1.0.0.0/32", "100.63.255.255/32", "100.128.0.0/32", "126.0.0.1/32"),
        *("128.0.0.0/32", "169.253.0.0/32", "169.255.0.0/32", "223.255.255.255/32"),
    ],
)
def test_the_neighbours_of_private_ranges_may(text: str) -> None:
    assert ssh_source(text) == text


@pytest.mark.parametrize(
    "text", ["", "me", "/32", "203.0.113.7/", "203.0.113/24", "203.0.113.7/33", " 203.0.113.7/32"]
)
def test_garbage_is_shown_what_a_block_looks_like(text: str) -> None:
    assert refusal(text) == f"{text!r} is no IPv4 CIDR block such as 10.0.0.0/16."
