"""Tiny random models and their tokenizers, as folders of Hugging Face."""

import json

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

WORDS = "the a cat dog sat ran on under mat tree red blue one two three four".split()
WIDTH, VOCABULARY, POSITIONS = 16, 64, 40


def word_tokenizer(folder, **ends):
    """One number a word; `ends` say what stands around a text."""
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if ends:
        tokenizer.post_processor = processors.TemplateProcessing(
            **ends, special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", bos_token="[CLS]", cls_token="[CLS]",
        sep_token="[SEP]", eos_token="[SEP]").save_pretrained(folder)


def byte_tokenizer(folder):
    """RoBERTa's, which splits words into pieces and minds the space before one."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(
        [" the cat sat on the mat"], trainers.BpeTrainer(
            vocab_size=275, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(tokenizer.to_str())["model"]
    transformers.RobertaTokenizerFast(
        vocab=model["vocab"], merges=[tuple(merge) for merge in model["merges"]]).save_pretrained(folder)


def config_of(kind, **more):
    common = {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2,
              "max_position_embeddings": POSITIONS, "pad_token_id": 0, "initializer_range": 0.2, **more}
    wide = {**common, "intermediate_size": 24}
    both = {"vocab_size": VOCABULARY, "d_model": WIDTH, "pad_token_id": 0, "decoder_start_token_id": 0, **more}
    name, keys = {
        "bert": ("Bert", wide),
        "roberta": ("Roberta", {**wide, "vocab_size": 280, "pad_token_id": 1, "max_position_embeddings": POSITIONS + 2}),
        "gpt2": ("GPT2", common),
        "opt": ("OPT", {**common, "ffn_dim": 24, "word_embed_proj_dim": WIDTH, "init_std": 0.2}),
        "llama": ("Llama", {**wide, "num_key_value_heads": 1}),
        "mixtral": ("Mixtral", {**wide, "num_key_value_heads": 1, "num_local_experts": 2, "num_experts_per_tok": 1}),
        "t5": ("T5", {**both, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2}),
        "whisper": ("Whisper", {
            **both, "num_mel_bins": 8, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
            "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "max_source_positions": 50,
            "max_target_positions": POSITIONS, "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 2}),
    }[kind]
    return getattr(transformers, f"{name}Config")(**keys)


ARCHITECTURES = {
    "causal": "CausalLM", "sequence": "SequenceClassification", "token": "TokenClassification", "seq2seq": "Seq2SeqLM",
    "speech": "SpeechSeq2Seq", "none": ""}


def auto(task):
    return getattr(transformers, f"AutoModel{'For' if ARCHITECTURES[task] else ''}{ARCHITECTURES[task]}")


def write_base(folder, kind, head, **more):
    """A base folder whose checkpoint has the head of a task, or none."""
    torch.manual_seed(3)
    model = auto(head).from_config(config_of(kind, **more))
    model.save_pretrained(folder)
    if kind == "roberta":
        byte_tokenizer(folder)
    elif kind == "t5":
        word_tokenizer(folder, single="$A [SEP]")
    elif kind in ("gpt2", "opt", "llama", "mixtral"):
        word_tokenizer(folder)
    else:
        word_tokenizer(folder, single="[CLS] $A [SEP]")
    if kind == "whisper":
        extractor = transformers.WhisperFeatureExtractor(
            feature_size=8, chunk_length=1, sampling_rate=8000, hop_length=80, n_fft=128)
        extractor.save_pretrained(folder)
