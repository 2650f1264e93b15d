"""A miner's address: ``ip:port`` for us, numbers on chain."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from quasar.errors import UsageError


def endpoint_of(axon: Mapping[str, Any]) -> str | None:
    """``ip:port`` of a served axon, None where there is none (address or port 0)."""
    ip, port = int(axon["ip"]), int(axon["port"])
    if not ip or not port:
        return None
    if int(axon["ip_type"]) == 6:
        return f"[{ip_address(ip.to_bytes(16))}]:{port}"
    return f"{ip_address(ip)}:{port}" if ip < 1 << 32 else None


def parse_endpoint(text: str) -> tuple[IPv4Address | IPv6Address, int]:
    """Address and port of ``ip:port``. Raises UsageError."""
    host, _, port = text.rpartition(":")
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
        if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
            raise ValueError
    except ValueError:
        raise UsageError(f"{text!r} is not an endpoint: give it as ip:port") from None
    return address, int(port)
