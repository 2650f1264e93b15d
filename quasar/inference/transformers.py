"""Engine ``transformers``: any causal language model in a local folder, decoded greedily.

The prompt is the context, then the question, in the model's chat template where it has one. What
does not fit the model's window is cut out of the middle of the context, and reported.

A small model is lost in instructions about the form of an answer. It is asked without them, and
the number or name that it comes up with is put in the form; the words stay its own.
"""

import threading
import time
from pathlib import Path
from typing import Any

import structlog

from quasar.errors import UsageError
from quasar.inference.answered import Answered
from quasar.inference.extras import need
from quasar.inference.text import (
    ANSWER,
    asks_for_name,
    first_name,
    first_number,
    with_statement,
)

logger = structlog.get_logger()

_HERE = "\u27eacontext\u27eb"
"""Stands for the context while the chat template is filled in."""
_SMALL = 1_000_000_000
"""Parameters below which a model is not told the form of an answer."""
_SHORT = 48
"""New tokens for the words of such a model, in which a number or name is looked for."""


class TransformersEngine:
    """A model, its tokenizer and its window. One answer at a time; others wait."""

    kind = "transformers"
    """What it is asked for by, before the folder."""

    def __init__(
        self,
        folder: Path | str,
        *,
        device: str = "auto",
        max_new_tokens: int = 256,
        max_context: int | None = None,
        told_form: bool | None = None,
    ) -> None:
        """Loads the model: seconds to minutes.

        ``device``: ``auto`` takes a GPU if there is one. ``max_context``: tokens of prompt and
        answer together, at most the model's own window, which is the default. ``told_form``:
        whether the model reads how to end its answer; by default from a billion parameters on.

        Raises MissingExtra without torch or transformers, UsageError for a folder that is no model.
        """
        self._torch, self._transformers = need("torch"), need("transformers")
        self.folder = Path(folder)
        self.name = f"{self.kind}:{self.folder.name}"
        self.max_new_tokens = max_new_tokens
        self._lock = threading.Lock()
        self.device = self._device(device)
        self._tokenizer, self._model = self._load()
        self.window = self._window(max_context)
        small = self._model.num_parameters() < _SMALL
        self.told_form = not small if told_form is None else told_form

    def answer(self, context: str, question: str, limit: int) -> str:
        """An answer of at most ``limit`` bytes of UTF-8."""
        return self.respond(context, question, limit).text

    def respond(self, context: str, question: str, limit: int) -> Answered:
        """As ``answer``, with how much of the prompt the model has read."""
        finish = ANSWER in question and not self.told_form
        if finish:
            question = "\n".join(line for line in question.split("\n") if ANSWER not in line)
        words, tokens, kept = self._read(context, question, _SHORT if finish else None)
        text = _in_form(words, question, limit) if finish else words
        return Answered(text.encode()[:limit].decode("utf-8", "ignore"), tokens, kept)

    def _read(
        self, context: str, question: str, new: int | None, until: str | None = None
    ) -> tuple[str, int, int]:
        """The model's words, tokens of the whole prompt, and how many of them it read."""
        started = time.monotonic()
        new = min(new or self.max_new_tokens, self.max_new_tokens)
        before, after = self._frame(question)
        inside = self._ids(context, plain=True)
        tokens = len(before) + len(inside) + len(after)
        prompt = [*before, *middle_cut(inside, self.window - new - tokens + len(inside)), *after]
        if len(prompt) < tokens:
            logger.warning("engine.truncated", engine=self.name, tokens=tokens, kept=len(prompt))
        if len(prompt) + new > self.window:
            return "", tokens, 0  # not even the question fits
        words = self._generate(prompt, new, until)
        took = round(time.monotonic() - started, 3)
        logger.debug("engine.answered", engine=self.name, tokens=len(prompt), seconds=took)
        return words, tokens, len(prompt)

    def _device(self, device: str) -> str:
        if device != "auto":
            return device
        return "cuda" if self._torch.cuda.is_available() else "cpu"

    def _load(self) -> tuple[Any, Any]:
        """Tokenizer and model, from files alone; a model's own code is never run."""
        # On a CPU, single precision is faster than bfloat16 and as exact as the weights are.
        dtype = self._torch.float32 if self.device == "cpu" else self._torch.bfloat16
        if not (self.folder / "config.json").is_file():
            raise UsageError(
                f"{self.folder} holds no model (config.json is missing): name a folder as "
                "save_pretrained writes it, or get one with `quasar model get smollm2`"
            )
        self._transformers.utils.logging.disable_progress_bar()
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            tokenizer = self._transformers.AutoTokenizer.from_pretrained(self.folder, **options)
            model = self._transformers.AutoModelForCausalLM.from_pretrained(
                self.folder, dtype=dtype, **options
            )
        except (OSError, ValueError) as error:
            raise UsageError(f"{self.folder} cannot be loaded as a model: {error}") from error
        return tokenizer, model.to(self.device).eval()

    def _window(self, wanted: int | None) -> int:
        own = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        limits = [n for n in (wanted, own) if n is not None]
        if not limits:
            raise UsageError(f"{self.folder} states no window: give max_context, in tokens")
        return min(limits)

    def _ids(self, text: str, *, plain: bool) -> list[int]:
        """Token numbers. In plain text the names of special tokens are only text."""
        ids = self._tokenizer(text, add_special_tokens=False, split_special_tokens=plain)
        return list(ids["input_ids"])

    def _frame(self, question: str) -> tuple[list[int], list[int]]:
        """The prompt before and after the context."""
        asked = self._ids(f"\n\nQuestion: {question}", plain=True)
        if self._tokenizer.chat_template is None:
            start = list(self._tokenizer("")["input_ids"])
            return start, [*asked, *self._ids("\nAnswer:", plain=True)]
        said = [{"role": "user", "content": _HERE}]
        text = self._tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
        before, _, after = text.partition(_HERE)
        return self._ids(before, plain=False), [*asked, *self._ids(after, plain=False)]

    def _generate(self, prompt: list[int], new: int, until: str | None) -> str:
        """The most likely token, again and again, until the model ends or reaches its limit.

        It also ends with a token that brings the text ``until``.
        """
        own = self._model.generation_config
        config = self._transformers.GenerationConfig(
            max_new_tokens=new,
            do_sample=False,
            num_beams=1,
            eos_token_id=own.eos_token_id,
            pad_token_id=own.pad_token_id if own.pad_token_id is not None else 0,
            stop_strings=until,
        )
        with self._lock, self._torch.inference_mode():
            ids = self._torch.tensor([prompt], device=self.device)
            out = self._model.generate(
                input_ids=ids,
                attention_mask=self._torch.ones_like(ids),
                generation_config=config,
                tokenizer=self._tokenizer if until else None,
            )
        return str(self._tokenizer.decode(out[0, len(prompt) :], skip_special_tokens=True))


def _in_form(words: str, question: str, limit: int) -> str:
    """The words, then a line with the first number or name in them that the question lacks."""
    if ANSWER in words:
        return words
    found = (first_name if asks_for_name(question) else first_number)(words, question)
    return with_statement(words, found, limit) if found else words


def middle_cut(ids: list[int], room: int) -> list[int]:
    """The first and last of them, so that at most ``room`` remain; the head has the odd one."""
    room = max(room, 0)
    if len(ids) <= room:
        return ids
    tail = room // 2
    return ids[: room - tail] + ids[len(ids) - tail :]
