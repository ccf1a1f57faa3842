#!/usr/bin/env python3
"""Makes the folder tiny, a random BERT with PEFT's LoRA on query and value, and what transformers and torch give for it.

    python3 make_model.py

Beside the model, the folder has the adapter as PEFT saves it and expected.safetensors: for texts of given pieces
(lengths and pieces one behind the other), the logits, the summed loss, and the gradients of the mean loss. Needs torch,
transformers, peft and safetensors.
"""

import json
import pathlib
import shutil

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import BertConfig, BertForSequenceClassification

LENGTHS = [9, 2, 14, 5, 30, 17]


def main():
    torch.manual_seed(5)
    folder = pathlib.Path(__file__).parent / "tiny"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    config = BertConfig(
        vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=24, num_labels=3, initializer_range=0.3, attn_implementation="eager")
    base = BertForSequenceClassification(config).eval()
    for name, value in base.named_parameters():
        if "LayerNorm" in name or name.endswith("bias"):
            value.data += 0.2 * torch.randn_like(value)
    model = get_peft_model(base, LoraConfig(
        r=3, lora_alpha=6, target_modules=["query", "value"], modules_to_save=["classifier"], task_type="SEQ_CLS"))
    model.eval()
    for name, value in model.named_parameters():
        if "lora_" in name or "classifier.modules_to_save" in name:
            value.data = 0.3 * torch.randn_like(value)
    weights = {name: value.clone() for name, value in base.bert.state_dict().items()}
    weights = {name.replace(".base_layer", ""): value for name, value in weights.items() if "lora_" not in name}
    # A tensor that is no float, as older files have it.
    weights["embeddings.position_ids"] = torch.arange(24).unsqueeze(0)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(config.to_json_string())
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + [f"w{index}" for index in range(96)]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    model.save_pretrained(folder)
    (folder / "README.md").unlink()

    generator = torch.Generator().manual_seed(9)
    texts = [[2] + torch.randint(4, 100, (length - 2,), generator=generator).tolist() + [3] for length in LENGTHS]
    limit = 20
    cut = [text if len(text) <= limit else text[:limit - 1] + [3] for text in texts]
    width = max(map(len, cut))
    ids = torch.tensor([text + [0] * (width - len(text)) for text in cut])
    mask = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in cut])
    labels = torch.tensor([0, 2, 1, 1, 0, 2])
    output = model(input_ids=ids, attention_mask=mask)
    loss = torch.nn.functional.cross_entropy(output.logits, labels)
    loss.backward()
    expected = {
        "lengths": torch.tensor(LENGTHS, dtype=torch.float32),
        "pieces": torch.tensor([float(piece) for text in texts for piece in text]),
        "labels": labels.float(),
        "logits": output.logits.detach().contiguous(),
        "loss": (loss.detach() * len(LENGTHS)).reshape(1),
    }
    for name, value in model.named_parameters():
        if value.requires_grad:
            short = name.removeprefix("base_model.model.").replace(".default", "").replace(".modules_to_save", "")
            expected["gradient." + short] = value.grad.contiguous()
    save_file(expected, folder / "expected.safetensors")
    print(json.dumps({name: list(value.shape) for name, value in expected.items()}, indent=1))


main()
