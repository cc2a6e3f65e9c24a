"""A URL -> the web client that fetches it, which no redirect leads to this machine or to its own link."""

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit


class InnerAddress(ValueError):  # noqa: N818 - says what was met
    """An address that only this machine or its own link knows."""


def web_options(url: str) -> dict[str, Any]:
    """What fsspec opens an http(s) URL with; nothing for another's.

    Where the URL itself names an inner address, its user wants that one, and any may follow.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or names_inner_address(parts.hostname or ""):
        return {}
    return {"get_client": _outside_client}


def names_inner_address(host: str) -> bool:
    """Whether a host is, in so many words, this machine or an address of its own link (169.254.…, fe80:…)."""
    if host.rstrip(".").casefold() == "localhost" or host.casefold().endswith(".localhost"):
        return True
    try:
        return is_inner(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return False


def is_inner(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Loopback, link-local, unspecified or multicast; an IPv4 address within IPv6 as itself."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        address = inner or address
    return address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast


async def _outside_client(**options: Any) -> Any:
    """An aiohttp session; every connection is checked, of redirects and of names that lead inside as well."""
    from aiohttp import ClientSession, TCPConnector

    return ClientSession(connector=TCPConnector(socket_factory=_outside_socket), **options)


def _outside_socket(found: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _, where = found
    if is_inner(ipaddress.ip_address(str(where[0]).partition("%")[0])):
        raise InnerAddress(
            f"{where[0]} is an address of this machine or of its link, and the URL did not name it"
        )
    return socket.socket(family, kind, protocol)
