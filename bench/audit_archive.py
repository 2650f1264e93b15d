"""A generated archive for bench/audit.py: rounds of 250 miners and 20 tasks, 20,500 events each.

Decisions of Scorer and WeightSetter are made by the rules that an audit runs; miners really sign.
Only what level ``tasks`` would make anew is made up: contexts, questions and commitments.

``python bench/audit_archive.py FOLDER [--rounds N] [--miners M]`` writes one.
"""

import argparse
import hashlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import audit_families
import msgspec
from audit_world import (
    CHECKPOINT_EVERY,
    IDENTITY,
    MADE,
    MINERS,
    QUESTION,
    START_MS,
    Known,
    Miner,
    Player,
    block_hash,
    named,
    policy,
)

from quasar.chain.keys import hotkey_from_seed
from quasar.draw import Draw
from quasar.events import (
    AnswerReceived,
    AnyEvent,
    BlockObserved,
    CaseOutcome,
    CheckpointSigned,
    CodeExecuted,
    Context,
    Draft,
    MetagraphObserved,
    Neuron,
    PolicyAdopted,
    RoundOpened,
    RoundRevealed,
    RoundSealed,
    RunStarted,
    TaskAccepted,
    TaskAssigned,
    TaskSampled,
    TextPart,
    WeightsConfirmed,
    WeightsIntended,
    WeightsSubmitted,
    WeightsVerified,
)
from quasar.events.base import Blob
from quasar.events.envelope import encode
from quasar.events.note import Checkpoint, sign_checkpoint
from quasar.events.receipt import (
    Acceptance,
    Receipt,
    SignedCheckpoint,
    build_request,
    digest,
    request_body,
    statement_bytes,
)
from quasar.log.archive import ArchiveLog, ArchiveWriter
from quasar.rules.executed import code_digest, runs_twice
from quasar.rules.judging import Asked
from quasar.rules.machine import Recorded
from quasar.rules.plan import PlannedTask, plan_tasks, runs_code
from quasar.rules.policy import parse
from quasar.rules.scoring import ScoringRule
from quasar.rules.secrets import SecretChain, round_seed
from quasar.rules.weights import WeightRule


class Generator:
    """Plays rounds into an archive."""

    def __init__(self, writer: ArchiveWriter, miners: int) -> None:
        self._writer = writer
        self._blobs = writer.blobs
        self._known = Known()
        self._lines: list[bytes] = []
        self._seq = 0
        self._now_ms = START_MS
        self._players = [Player(r, writer.blobs) for r in (ScoringRule(self._known), WeightRule())]
        self._secrets = SecretChain(MADE.seed, IDENTITY.log_id, 1)
        self._policy = parse(policy())
        keys = [hotkey_from_seed(MADE.seed, f"miner/{i}") for i in range(miners)]
        self._miners = {
            key.ss58_address: Miner(key, 20 + 70 * i // miners) for i, key in enumerate(keys)
        }
        self._hotkeys = sorted(self._miners)
        self._counters = dict.fromkeys(self._hotkeys, 0)
        self._receipts: dict[str, str] = {}
        self._seed = b""
        self._codes: dict[tuple[int, str], str] = {}
        """Task and hotkey to the digest of the program, of the newest round."""
        self._quoted: SignedCheckpoint | None = None
        self._outputs: dict[str, Blob] = {}
        neurons = [Neuron(uid=0, hotkey=MADE.hotkey.ss58_address, endpoint=None)]
        neurons += [
            Neuron(uid=i, hotkey=hotkey, endpoint=f"10.0.{i // 256}.{i % 256}:8000")
            for i, hotkey in enumerate(self._hotkeys, 1)
        ]
        self._neurons = self._blobs.put(msgspec.json.encode(neurons))

    def append(self, actor: str, cause: int, event: AnyEvent) -> int:
        """Record an event, then what the rules decide on it; returns its number."""
        line = encode(Draft(actor=actor, cause=cause, event=event), self._now_ms * 1_000_000)
        self._lines.append(line)
        self._seq += 1
        seq, seen = self._seq, Recorded(self._seq, line)
        for player in self._players:
            for decision in player.feed(seen):
                self.append(player.rule.actor, seq, decision)
        return seq

    def open(self) -> None:
        """The first events."""
        opened = MADE.opened(self._secrets.tip)
        started = RunStarted(
            run=1,
            mode="simulation",
            freshness="none",
            rounds=None,
            versions={},
            digests={},
            sandbox="docker",
        )
        self.append("supervisor", 0, opened)
        self.append("supervisor", 0, started)
        blob = self._blobs.put(policy())
        self.append("supervisor", 0, PolicyAdopted(number=1, name="readme-v1", toml=blob))

    def observe(self, number: int, epoch: int) -> int:
        """ChainObserver reads a block."""
        self._now_ms = START_MS + number * 12_000
        if epoch:
            found = MetagraphObserved(number=number, hash=block_hash(number), neurons=self._neurons)
            self.append("chain-observer", 0, found)
        block = BlockObserved(
            number=number,
            hash=block_hash(number),
            timestamp_ms=self._now_ms,
            epoch=number // 75,
            head=number,
        )
        return self.append("chain-observer", 0, block)

    def play(self, number: int) -> None:
        """A round."""
        block, cadence = number * 75, self._policy.cadence
        opening, beacon = self.observe(block, number), block + cadence.beacon_delay_blocks
        opened = RoundOpened(
            round=number,
            block=block,
            block_hash=block_hash(block),
            beacon_block=beacon,
            policy=hashlib.sha256(policy()).hexdigest(),
            participants=self._hotkeys,
        )
        self.append("task-sampler", opening, opened)
        cause = self.observe(beacon, 0)
        self._seed = round_seed(self._secrets.secret(number), block_hash(beacon))
        tasks = list(plan_tasks(self._seed, self._policy))
        assigned = list(self._assign(number, tasks, cause))
        last = 0
        for at, sampled, event in sorted(assigned, key=lambda a: named(a[0])):
            last = self._answer(at, sampled, event, tasks[event.task])
        self._end(number, tasks, last)
        self._send(number)
        self._known.forget()
        self.checkpoint()

    def _assign(
        self, number: int, tasks: list[PlannedTask], cause: int
    ) -> Iterator[tuple[int, TaskSampled, TaskAssigned]]:
        for task in tasks:
            sampled = TaskSampled(
                round=number,
                task=task.task,
                family=task.mix.family,
                bucket=task.mix.bucket,
                template=task.template.digest,
                metric=task.metric,
                answer_bytes=self._policy.answers.max_bytes,
            )
            self.append("task-sampler", cause, sampled)
            for hotkey in self._hotkeys:
                event = self._assignment(number, task, hotkey)
                yield self.append("task-sampler", cause, event), sampled, event
        for hotkey in self._hotkeys:
            self._counters[hotkey] += len(tasks)

    def _assignment(self, number: int, task: PlannedTask, hotkey: str) -> TaskAssigned:
        context = named(number, task.task, hotkey)
        return TaskAssigned(
            round=number,
            task=task.task,
            hotkey=hotkey,
            n=self._counters[hotkey] + task.task + 1,
            context=Context(sha256=context, bytes=131_000, tokens=31_500),
            question=[TextPart(text=f"{QUESTION}{context[:12]}.")],
            commitment=named(context),
            deadline_ms=self._policy.deadline_ms(31_500),
        )

    def _answer(
        self, cause: int, sampled: TaskSampled, assigned: TaskAssigned, task: PlannedTask
    ) -> int:
        """A miner accepts and answers."""
        miner = self._miners[assigned.hotkey]
        place = {"round": assigned.round, "task": assigned.task, "hotkey": assigned.hotkey}
        request = request_body(build_request(IDENTITY.log_id, sampled, assigned))
        said: dict[str, Any] = {
            "log_id": IDENTITY.log_id,
            "n": assigned.n,
            "request": hashlib.sha256(request).hexdigest(),
            **place,
        }
        acceptance = Acceptance(**said)
        signature = miner.key.sign(statement_bytes(acceptance)).hex()
        self.append("miner-proxy", cause, TaskAccepted(acceptance=acceptance, signature=signature))
        answer = self._text(task, miner, assigned)
        receipt = Receipt(
            answer=hashlib.sha256(answer.encode()).hexdigest(),
            checkpoint=self._quoted,
            block=None,
            previous=self._receipts.get(assigned.hotkey),
            unacknowledged=[],
            **said,
        )
        self._receipts[assigned.hotkey] = digest(receipt)
        received = AnswerReceived(
            text=answer,
            blob=None,
            receipt=receipt,
            signature=miner.key.sign(statement_bytes(receipt)).hex(),
            elapsed_ms=1000 + assigned.n % 5000,
            deadline_ms=assigned.deadline_ms,
            **place,
        )
        seq = self.append("miner-proxy", cause, received)
        if self._seq - (self._quoted.size if self._quoted else 0) >= CHECKPOINT_EVERY:
            self.checkpoint()
        return seq

    def _text(self, task: PlannedTask, miner: Miner, assigned: TaskAssigned) -> str:
        """Right, or partly so, as the miner's skill goes."""
        draw = Draw(bytes.fromhex(assigned.commitment), "answer")
        if runs_code(task.mix.family):
            code = f"def f(x):\n    return {assigned.commitment[:8]!r}"
            self._codes[task.task, assigned.hotkey] = code_digest(code)
            return f"```python\n{code}\n```"
        expected = self._known.answer(task, assigned.hotkey)
        right = draw.below(100) < miner.skill
        words = expected.split()
        if len(words) > 20:  # every draw of three words loses one and repeats another
            for _ in range(len(words) // (6 if right else 3)):
                words[draw.below(len(words))] = words[draw.below(len(words))]
            return " ".join(words)
        wrong = draw.choice(audit_families.WORDS)
        text = expected if right else " ".join([wrong, *words[1:]])
        return f"ANSWER: {text}" if task.metric == "answer_exact@1" else f"The {text}."

    def _end(self, number: int, tasks: list[PlannedTask], last: int) -> None:
        """Seal, reveal, run code; the rules score."""
        count = len(tasks) * len(self._hotkeys)
        sealed = RoundSealed(
            round=number,
            assignments=count,
            answered=count,
            abandoned=0,
            outcomes=named("outcomes", number),
        )
        at = self.append("task-sampler", last, sealed)
        secret = self._secrets.secret(number).hex()
        at = self.append("task-sampler", at, RoundRevealed(round=number, secret=secret))
        for task in tasks:
            if runs_code(task.mix.family):
                for hotkey in self._hotkeys:
                    ran = self._executed(number, task, hotkey)
                    self.append("sandbox-executor", at, ran)

    def _send(self, epoch: int) -> None:
        """WeightSetter brings the epoch's row on chain, if there is one."""
        if epoch == 1:  # nothing was scored yet
            return
        step: dict[str, int] = {"epoch": epoch, "attempt": 0}
        block = epoch * 75 + 3
        self.append("weight-setter", self._seq, WeightsIntended(block=block, **step))
        self.checkpoint()
        sent = WeightsSubmitted(extrinsic=block_hash(-epoch), **step)
        at = self.append("weight-setter", self._seq, sent)
        landed = WeightsConfirmed(block=block + 1, block_hash=block_hash(block + 1), **step)
        at = self.append("weight-setter", at, landed)
        self.append("weight-setter", at, WeightsVerified(block=block + 2, equal=True, **step))

    def _executed(self, number: int, task: PlannedTask, hotkey: str) -> CodeExecuted:
        """Most programs return what others do too; one in twenty is right, and has its own."""
        hidden = self._known.hidden(
            Asked(task, self._policy.bucket(task.mix.bucket).tokens, hotkey)
        )
        right = int(named(number, task.task, hotkey)[:8], 16) % 20 == 0
        cases = [
            CaseOutcome(
                status="ok",
                input=digest,
                output=self._output(msgspec.json.encode(value if right else i)),
                execution_time_ms=3,
                cpu_time_ms=2,
            )
            for i, (digest, value) in enumerate(zip(hidden.inputs, hidden.expected, strict=True))
        ]
        return CodeExecuted(
            round=number,
            task=task.task,
            hotkey=hotkey,
            code=self._codes[task.task, hotkey],
            cases=cases,
            again=cases if runs_twice(self._seed, task.task, hotkey) else None,
            driver="docker",
            image=named("image"),
            layers=[named("layer")],
            python="3.11.7",
        )

    def _output(self, data: bytes) -> Blob:
        if len(data) > 1:
            return self._blobs.put(data)
        name = data.decode()
        if name not in self._outputs:
            self._outputs[name] = self._blobs.put(data)
        return self._outputs[name]

    def checkpoint(self) -> None:
        """Make all of it durable, and sign it."""
        self._writer.append(self._lines)
        self._lines = []
        size = self._writer.flush()
        root = self._writer.tree.root()
        note = sign_checkpoint(Checkpoint(IDENTITY.origin, size, root), MADE.log_key)
        self._writer.publish(note, size)
        self._quoted = SignedCheckpoint(size=size, root=root.hex())
        signed = CheckpointSigned(size=size, root=root.hex(), note=note)
        self.append("checkpointer", size, signed)

    def close(self) -> int:
        """The last checkpoint covers everything. Returns the number of events."""
        self._writer.append(self._lines)
        size = self._writer.flush()
        head = Checkpoint(IDENTITY.origin, size, self._writer.tree.root())
        self._writer.publish(sign_checkpoint(head, MADE.log_key), size)
        return size


def write_archive(folder: Path, rounds: int, miners: int = MINERS) -> int:
    """An archive of so many rounds; kept where it is there already. Returns its events."""
    if folder.exists():
        return ArchiveLog(folder).manifest.last
    unfinished = folder.with_name(folder.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    with ArchiveWriter.open(unfinished, IDENTITY) as writer:
        generator = Generator(writer, miners)
        generator.open()
        generator.observe(1, 0)
        for number in range(1, rounds + 1):
            generator.play(number)
        size = generator.close()
    unfinished.rename(folder)
    return size


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--miners", type=int, default=MINERS)
    options = parser.parse_args()
    began = time.process_time()
    events = write_archive(options.folder, options.rounds, options.miners)
    took = time.process_time() - began
    print(f"{events:,} events, {events / took:,.0f} a CPU second")
    return 0


if __name__ == "__main__":
    sys.exit(main())
