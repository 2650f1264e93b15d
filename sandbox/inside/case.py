"""One case: a forked process and the pipes to it, watched until its result or a limit."""

import os
import select
import struct

from quasar.sandbox.inside.child import READY, Limits, run
from quasar.sandbox.inside.clock import TICK_S, Clock

SETUP_S = 10.0
"""A fork and a dozen system calls: more than this long is the machine's failure."""
STATUS_BYTES = 8192
"""Room for status and error beside the output."""


class Case:
    """One forked process and the three pipes to it."""

    def __init__(self, bpf: bytes, limits: Limits) -> None:
        request, self.request = os.pipe()
        self.result, result = os.pipe()
        self.log, log = os.pipe()
        self.limits = limits
        self.results = bytearray(4 + STATUS_BYTES + limits["output_bytes"])
        self.received = 0
        self.logs = bytearray(limits["log_bytes"])
        self.logged = 0
        self.pid = os.fork()
        if self.pid == 0:
            try:
                run(request, log, result, bpf, limits)
            finally:  # whatever the code did: there is never a second runner
                os._exit(1)
        for descriptor in (request, result, log):
            os.close(descriptor)

    def died(self) -> bool:
        """Whether it ended before it had any code: short of memory, a machine ends it first."""
        return os.waitpid(self.pid, os.WNOHANG) != (0, 0)

    def fault(self) -> "str | None":
        """Wait until the child gave up its powers; why it did not, where it did not."""
        ready, _, _ = select.select([self.result], [], [], SETUP_S)
        word = os.read(self.result, 1) if ready else b""
        if word == READY:
            return None
        said = os.read(self.result, 500) if word else b""
        return said.decode("utf-8", "replace") or "the case's process did not come up"

    def watch(self, request: bytearray, clock: Clock) -> "str | None":
        """Hand over the request and take what comes, until the result is whole or a limit hit."""
        poll = select.poll()
        for descriptor in (self.request, self.result, self.log):
            os.set_blocking(descriptor, False)
        poll.register(self.request, select.POLLOUT)
        poll.register(self.result, select.POLLIN)
        poll.register(self.log, select.POLLIN)
        rest: tuple[memoryview, ...]
        rest = memoryview(struct.pack(">I", len(request))), memoryview(request)
        look = TICK_S
        while True:
            for descriptor, _ in poll.poll(TICK_S * 1000):
                if descriptor == self.request:
                    rest = self.write(rest)
                    if not rest:
                        poll.unregister(self.request)
                elif descriptor == self.log:
                    if self.read_log() == 0:
                        poll.unregister(self.log)
                    if self.logged > self.limits["flood_bytes"]:
                        return "output_limit"
                elif self.read_result() == 0:
                    return self.ended(clock)
            size = self.size()
            if size is not None and size > len(self.results):
                return "output_limit"
            if size is not None and self.received >= size:
                return self.ended(clock)
            if clock.wall() >= look:  # after the reads: a result may lie there for long
                verdict = clock.verdict()
                if verdict is not None:
                    return verdict
                look = clock.wall() + TICK_S

    def ended(self, clock: Clock) -> "str | None":
        """A result that took too much of the processor is late, whenever that was noticed."""
        return "timeout" if clock.spent() else None

    def write(self, rest: "tuple[memoryview, ...]") -> "tuple[memoryview, ...]":
        """What is left of the parts after one write; nothing where nobody reads any more."""
        try:
            return without(rest, os.writev(self.request, rest))
        except BlockingIOError:
            return rest
        except OSError:
            return ()

    def read_result(self) -> int:
        """Bytes that came; 0 at the end or where the buffer is full."""
        try:
            count = os.readv(self.result, [memoryview(self.results)[self.received :]])
        except BlockingIOError:
            return -1
        self.received += count
        return count

    def read_log(self) -> int:
        """Bytes that came; those beyond the limit are counted and dropped."""
        scratch = bytearray(1 << 16)
        try:
            count = os.readv(self.log, [scratch])
        except BlockingIOError:
            return -1
        if self.logged < len(self.logs):
            end = min(len(self.logs), self.logged + count)
            self.logs[self.logged : end] = scratch[: end - self.logged]
        self.logged += count
        forget(scratch, count)
        return count

    def size(self) -> "int | None":
        """How long the child says that its result is, with the four bytes of length."""
        return 4 + struct.unpack_from(">I", self.results)[0] if self.received >= 4 else None

    def close(self) -> None:
        """Close the pipes and forget what came: the next case's process is a copy of this one."""
        for descriptor in (self.request, self.result, self.log):
            os.close(descriptor)
        forget(self.results, self.received)
        forget(self.logs, min(self.logged, len(self.logs)))


def forget(buffer: bytearray, size: int) -> None:
    """Overwrite the first bytes, which the allocator would leave to the next case as they are."""
    buffer[:size] = bytes(size)


def without(parts: "tuple[memoryview, ...]", count: int) -> "tuple[memoryview, ...]":
    """What is left of the parts after so many bytes."""
    left = []
    for part in parts:
        left.append(part[count:])
        count = max(0, count - len(part))
    return tuple(part for part in left if part)
