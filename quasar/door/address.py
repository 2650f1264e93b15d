"""Which addresses a validator may call. Endpoints come from the chain, so anyone wrote them."""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from quasar.errors import Refused


class Address(NamedTuple):
    """Where a miner's door is."""

    host: str
    """An IP address, never a name; without brackets."""
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def check_endpoint(endpoint: str, own: Collection[str], allow_private: bool) -> Address:
    """Parse ``ip:port`` (IPv6 in brackets) and refuse what nobody should be made to call.

    ``own`` lists addresses of this validator. Only demo and mock allow private ones. Raises
    Refused(``bad-endpoint``) for names, malformed text, own and not publicly routed addresses.
    """
    host, _, port = endpoint.rpartition(":")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65536):
        raise Refused("bad-endpoint", "the port is not a number from 1 to 65535")
    ip = _parse_ip(host)
    if not allow_private:
        if not _is_public(ip):
            raise Refused("bad-endpoint", f"{ip} is not a public address")
        if any(ip == _unwrap(ip_address(mine)) for mine in own):
            raise Refused("bad-endpoint", f"{ip} is this validator's own address")
    return Address(str(ip), int(port))


def _parse_ip(host: str) -> IPv4Address | IPv6Address:
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        ip = ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise Refused("bad-endpoint", "not an IP address; names are never resolved") from None
    # A scope (fe80::1%eth0) picks one of our interfaces; a bare v6 address hides its port.
    if bracketed != (ip.version == 6) or "%" in str(ip):
        raise Refused("bad-endpoint", "give IPv4 as a.b.c.d:port and IPv6 as [address]:port")
    return _unwrap(ip)


def _unwrap(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv6 one that the system would route as such."""
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        return ip.ipv4_mapped
    return ip


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    # 6to4 and Teredo carry an IPv4 address inside, of any kind.
    if isinstance(ip, IPv6Address) and (ip.sixtofour or ip.teredo or ip.is_site_local):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)
