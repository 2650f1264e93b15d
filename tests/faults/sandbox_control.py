"""A naive runner, as people write it first: every case in one process, which it also answers from.

It speaks the real runner's frames, so that the hostile suite can be run on it. Only ever started
inside a container: ``Entrypoint`` of one.
"""

NAIVE = r"""
import io, json, os, signal, struct, sys, time
from contextlib import redirect_stderr, redirect_stdout

def frame(header, result=b"", prints=b""):
    body = json.dumps(header).encode() + b"\0" + result + prints
    os.write(1, struct.pack(">I", len(body)) + body)

def exactly(size):
    data = b""
    while len(data) < size:
        more = os.read(0, size - len(data))
        if not more:
            os._exit(0)
        data += more
    return data

def late(*_):
    raise TimeoutError

def execute(job):
    names = {"__name__": "submission"}
    exec(job["code"], names)
    return names[job["function"]](*job["arguments"])

def answered(job, limit):
    try:
        output = json.dumps(execute(job))
        if len(output) > limit:
            return "output_limit", "too long", b""
        return "ok", None, output.encode()
    except TimeoutError:
        return "timeout", "late", b""
    except MemoryError:
        return "oom", "MemoryError", b""
    except (PermissionError, ) as error:
        return "forbidden", str(error), b""
    except BaseException as error:
        return "error", repr(error)[:100], b""

limits = json.loads(sys.argv[1])
signal.signal(signal.SIGPROF, late)
frame({"kind": "hello", "python": "3", "machine": os.uname().machine})
while True:
    (size,) = struct.unpack(">I", exactly(4))
    job = json.loads(exactly(size))
    frame({"kind": "started"})
    start, prints = time.monotonic(), io.StringIO()
    signal.setitimer(signal.ITIMER_PROF, limits["timeout_s"])
    with redirect_stdout(prints), redirect_stderr(prints):
        status, error, output = answered(job, limits["output_bytes"])
    signal.setitimer(signal.ITIMER_PROF, 0)
    result = json.dumps([status, error]).encode() + b"\0" + output
    ms = round(1000 * (time.monotonic() - start))
    header = {"kind": "result", "verdict": None, "whole": True, "exit": 0, "oom": False, "ms": ms,
        "cpu_ms": ms, "result_bytes": len(result)}
    frame(header, result, prints.getvalue()[: limits["log_bytes"]].encode())
"""
