"""The local block source's history, journal and command line."""

from pathlib import Path

import pytest

from quasar.chain.history import FINALITY_LAG, History, Options, Serve, serve_statement
from quasar.chain.keys import hotkey_from_seed
from quasar.chain.local import LocalChain, main
from quasar.chain.local_server import LocalServer, open_journal
from quasar.errors import ChainError, UsageError

KEYS = [hotkey_from_seed(b"7", f"miner/{i}") for i in range(3)]
OPTIONS = Options(
    seed="7",
    start_ms=1_700_000_000_000,
    block_ms=100,
    tempo=10,
    netuid=24,
    hotkeys=[key.ss58_address for key in KEYS],
)


def serve_of(history: History, uid: int, endpoint: str) -> Serve:
    hotkey = KEYS[uid].ss58_address
    statement = serve_statement(history.genesis, 24, hotkey, endpoint)
    return Serve(hotkey=hotkey, endpoint=endpoint, signature=KEYS[uid].sign(statement).hex())


def endpoints(history: History, number: int) -> list[str | None]:
    return [neuron.endpoint for neuron in history.metagraph(number, 10_000)]


def test_blocks_follow_from_seed_and_time() -> None:
    """A block's hash comes from the seed, its time and epoch from its number."""
    block = History(OPTIONS).block(25, 10_000)
    assert block.hash == "0xe54d17d5a5aa6e084cbe72c4a90ea9301ee55589993425e5f6232bb730ec32d6"
    assert (block.number, block.timestamp_ms, block.epoch) == (25, 1_700_000_002_500, 2)
    assert History(OPTIONS).genesis == History(OPTIONS).block(0, 0).hash


def test_the_head_lags_behind_the_newest_block() -> None:
    """A block is final two blocks after it was produced; block 0 from the start."""
    history = History(OPTIONS)
    assert [history.head(ms) for ms in (0, 299, 300, 1000)] == [0, 0, 1, 8]
    for number in range(20):
        moment = history.final_at_ms(number)
        assert history.head(moment) == number
        assert number == 0 or history.head(moment - 1) == number - 1


@pytest.mark.parametrize("number", [-1, 9])
def test_what_is_not_final_is_not_read(number: int) -> None:
    """Block, metagraph and parameters of an unfinished block are refused."""
    history = History(OPTIONS)
    for read in (history.block, history.metagraph, history.hyperparameters):
        with pytest.raises(ChainError, match="not final"):
            read(number, 1000)
        assert read(8, 1000)


def test_an_endpoint_shows_from_the_next_block() -> None:
    """A serve changes the metagraph of later blocks only, so final ones never change."""
    history = History(OPTIONS)
    since = history.serve(serve_of(history, 1, "1.2.3.4:80"), 1_050)
    assert since == 11 > history.head(1_050)
    history.serve(serve_of(history, 1, "1.2.3.4:81"), 2_000)
    assert endpoints(history, 10) == [None, None, None]
    assert endpoints(history, 11) == endpoints(history, 20) == [None, "1.2.3.4:80", None]
    assert endpoints(history, 21) == [None, "1.2.3.4:81", None]


def test_uids_are_in_the_order_given() -> None:
    """The metagraph lists the hotkeys as the command line did."""
    neurons = History(OPTIONS).metagraph(0, 0)
    assert [(n.uid, n.hotkey) for n in neurons] == list(enumerate(OPTIONS.hotkeys))


def test_only_the_hotkey_serves() -> None:
    """Another's signature, another chain's, a stranger and a malformed endpoint are refused."""
    history = History(OPTIONS)
    good = serve_of(history, 1, "1.2.3.4:80")
    stolen = Serve(hotkey=OPTIONS.hotkeys[0], endpoint=good.endpoint, signature=good.signature)
    moved = Serve(hotkey=good.hotkey, endpoint="1.2.3.4:81", signature=good.signature)
    stranger = Serve(hotkey="5" + "x" * 47, endpoint=good.endpoint, signature=good.signature)
    for serve, reason in ((stolen, "sign"), (moved, "sign"), (stranger, "not registered")):
        with pytest.raises(ChainError, match=reason):
            history.serve(serve, 0)
    for endpoint in ("host:80", "1.2.3.4", "1.2.3.4:0", "1.2.3.4:65536"):
        with pytest.raises(ChainError, match="ip:port"):
            history.serve(serve_of(history, 1, endpoint), 0)
    assert endpoints(history, 50) == [None, None, None]


def test_a_journal_continues_the_chain(tmp_path: Path) -> None:
    """After a restart blocks keep their times and metagraphs their endpoints."""
    path = tmp_path / "journal"
    history, journal = open_journal(path, OPTIONS)
    server = LocalServer(history, journal)
    server.take(serve_of(history, 2, "[::1]:80"))
    journal.close()
    later = Options(**{f: getattr(OPTIONS, f) for f in OPTIONS.__struct_fields__} | {"start_ms": 9})
    again, journal = open_journal(path, later)
    journal.close()
    assert again.options == OPTIONS
    assert endpoints(again, 0) == [None, None, None]
    assert again.metagraph(2**40, 2**50)[2].endpoint == "[::1]:80"


def test_a_journal_belongs_to_one_chain(tmp_path: Path) -> None:
    """Other options, or another file, are refused before anything is written."""
    path = tmp_path / "journal"
    open_journal(path, OPTIONS)[1].close()
    other = Options(**{f: getattr(OPTIONS, f) for f in OPTIONS.__struct_fields__} | {"netuid": 25})
    with pytest.raises(UsageError, match="other options"):
        open_journal(path, other)
    path.write_bytes(b"something else\n")
    with pytest.raises(UsageError, match="not a local chain's journal"):
        open_journal(path, OPTIONS)
    assert path.read_bytes() == b"something else\n"


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A journal that cannot be used ends the command with exit code 2 and one line."""
    path = tmp_path / "journal"
    path.write_bytes(b"something else\n")
    assert main(["--seed", "7", "--hotkeys", "a", "--journal", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.anyio
async def test_a_client_that_is_not_entered_says_so() -> None:
    """Using the client before connecting is a ChainError that shows how."""
    with pytest.raises(ChainError, match="async with"):
        await LocalChain("http://127.0.0.1:1").head()


def test_finality_is_two_blocks() -> None:
    """Miners and tests rely on the lag."""
    assert FINALITY_LAG == 2
