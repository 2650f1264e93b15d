"""Turns a GGUF file of a Llama model into a folder as transformers reads it.

GGUF packs the weights of a model, its vocabulary and its shape into one file. Weights come out of
their packing once, here, so that a run needs neither gguf nor time for it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quasar.errors import UsageError
from quasar.inference.extras import need

_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OUTSIDE = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
_CONTROL = 3
"""Type of a token that stands for no text."""


def convert(file: Path, folder: Path) -> None:
    """Write config, weights (bfloat16) and tokenizer of a GGUF file into a new folder.

    Raises UsageError for another architecture or tokenizer, MissingExtra without the packages.
    """
    need("transformers").utils.logging.disable_progress_bar()
    reader = need("gguf").GGUFReader(file)
    facts = {key: field.contents() for key, field in reader.fields.items()}
    kinds = (facts.get("general.architecture"), facts.get("tokenizer.ggml.pre"))
    if kinds != ("llama", "smollm"):
        raise UsageError(f"{file.name} is of kind {kinds}: only SmolLM models can be converted")
    _model(reader, facts).save_pretrained(folder)
    _tokenizer(facts).save_pretrained(folder)


def _model(reader: Any, facts: dict[str, Any]) -> Any:
    torch, transformers = need("torch"), need("transformers")
    weights = dict(_weights(reader, facts))
    config = _config(facts, tied="lm_head.weight" not in weights)
    model = transformers.LlamaForCausalLM(config)
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if unexpected or [name for name in missing if name != "lm_head.weight"]:
        raise UsageError(f"the GGUF file lacks {missing} or has {unexpected}: get it again")
    model.generation_config.eos_token_id = facts["tokenizer.ggml.eos_token_id"]
    model.generation_config.pad_token_id = facts["tokenizer.ggml.padding_token_id"]
    return model.to(torch.bfloat16)


def _config(facts: dict[str, Any], *, tied: bool) -> Any:
    return need("transformers").LlamaConfig(
        vocab_size=facts["llama.vocab_size"],
        hidden_size=facts["llama.embedding_length"],
        intermediate_size=facts["llama.feed_forward_length"],
        num_hidden_layers=facts["llama.block_count"],
        num_attention_heads=facts["llama.attention.head_count"],
        num_key_value_heads=facts["llama.attention.head_count_kv"],
        max_position_embeddings=facts["llama.context_length"],
        rms_norm_eps=facts["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": facts["llama.rope.freq_base"]},
        bos_token_id=facts["tokenizer.ggml.bos_token_id"],
        eos_token_id=facts["tokenizer.ggml.eos_token_id"],
        pad_token_id=facts["tokenizer.ggml.padding_token_id"],
        tie_word_embeddings=tied,
    )


def _weights(reader: Any, facts: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name and unpacked tensor of each weight."""
    torch, dequantize = need("torch"), need("gguf.quants").dequantize
    for packed in reader.tensors:
        tensor = torch.from_numpy(dequantize(packed.data, packed.tensor_type).copy())
        stem = packed.name.removesuffix(".weight")
        if stem in _OUTSIDE:
            yield f"{_OUTSIDE[stem]}.weight", tensor
            continue
        _, layer, part = stem.split(".")
        if part in ("attn_q", "attn_k"):
            key = "head_count" if part == "attn_q" else "head_count_kv"
            tensor = _halves(tensor, facts[f"llama.attention.{key}"])
        yield f"model.layers.{layer}.{_BLOCK[part]}.weight", tensor


def _halves(tensor: Any, heads: int) -> Any:
    """Rows of each head as transformers turns them: GGUF has pairs side by side, not in halves."""
    rows, columns = tensor.shape
    pairs = tensor.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.transpose(1, 2).reshape(rows, columns).contiguous()


def _tokenizer(facts: dict[str, Any]) -> Any:
    """Byte pairs over bytes; every digit is a token of its own."""
    tokenizers = need("tokenizers")
    tokens = facts["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in facts["tokenizer.ggml.merges"]]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    inner = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    pieces = tokenizers.pre_tokenizers
    inner.pre_tokenizer = pieces.Sequence(
        [pieces.Digits(individual_digits=True), pieces.ByteLevel(add_prefix_space=False)]
    )
    inner.decoder = tokenizers.decoders.ByteLevel()
    types = facts["tokenizer.ggml.token_type"]
    special = [t for t, kind in zip(tokens, types, strict=True) if kind == _CONTROL]
    inner.add_special_tokens(special)
    named = {
        f"{role}_token": tokens[facts[f"tokenizer.ggml.{key}_token_id"]]
        for role, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"))
    }
    return need("transformers").PreTrainedTokenizerFast(
        tokenizer_object=inner,
        chat_template=facts["tokenizer.chat_template"],
        model_max_length=facts["llama.context_length"],
        clean_up_tokenization_spaces=False,
        **named,
    )
