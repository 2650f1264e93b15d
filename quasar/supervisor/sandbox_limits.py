"""A policy's limits for programs, as a sandbox takes them."""

import msgspec

from quasar.rules.policy_sections import Execution
from quasar.sandbox import SandboxConfig


def limited(config: SandboxConfig, limits: Execution | None) -> SandboxConfig:
    """With a policy's limits in place of its own; as it is, where the policy has none."""
    if limits is None:
        return config
    return msgspec.structs.replace(config, timeout_s=limits.timeout_s, memory_mib=limits.memory_mib)
