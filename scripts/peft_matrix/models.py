"""The tiny random models that the cells adapt, each with fixed inputs."""

import json
import pathlib

import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn

SEED = 7
VOCABULARY, WIDTH, INNER, HEADS, LABELS = 64, 32, 48, 4, 3
# Wide enough that logits are of the order of 1: 1e-4 then means something.
SPREAD = 0.15
INVOCATION, TRAINED = [5, 6], [3, 9, 17, 40]


def tokens(rows=2, length=9):
    generator = torch.Generator().manual_seed(SEED)
    drawn = torch.randint(7, VOCABULARY, (rows, length), generator=generator)
    # Where an activated LoRA begins to act, and the tokens that some cells train.
    drawn[:, :4] = torch.tensor([*INVOCATION, *TRAINED[:2]])
    return drawn


class Model:
    """One model: how it is made, what goes in, and which of its parts an adapter takes.

    linear: modules for LoRA; embedding: for LoRA on an embedding; saved: for modules_to_save; tokens: for
    trainable_token_indices; experts: for target_parameters; layers: for layers_to_transform; wide: the module that the
    patterns give another rank; strong: the one that they give another alpha.
    """

    task = None
    linear = []
    embedding = None
    saved = None
    tokens = None
    experts = None
    replicated = False
    wide = None
    strong = None
    regex = None
    layers = None
    # Convolutions over one dimension, and a module with running statistics, some of them whole numbers.
    conv1d = None
    buffers = None
    convolutions = False
    # Where an activated LoRA acts: on layers that see the rows of a batch one by one.
    attention = None
    fan_in_fan_out = False

    def make(self):
        raise NotImplementedError

    def write(self, folder):
        """The model with the fixed seed as a base folder."""
        torch.manual_seed(SEED)
        model = self.make()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                # Biases begin as zeros and norms as ones: neither tells one layer from another.
                if name.endswith("bias"):
                    parameter.normal_(0, SPREAD)
                elif parameter.dim() == 1:
                    parameter.add_(torch.randn_like(parameter) * SPREAD)
        model.save_pretrained(folder)
        return folder

    def load(self, folder, dtype=torch.float32):
        return getattr(transformers, self.architecture).from_pretrained(folder, dtype=dtype).eval()

    def inputs(self):
        return {"input_ids": tokens()}

    def logits(self, model):
        with torch.no_grad():
            output = model(**self.inputs())
        return (output if isinstance(output, torch.Tensor) else output.logits).float()


class Llama(Model):
    name, architecture, task = "llama", "LlamaForCausalLM", "CAUSAL_LM"
    linear = ["q_proj", "v_proj", "gate_proj", "down_proj"]
    embedding, saved, tokens = "embed_tokens", ["embed_tokens", "lm_head"], {"embed_tokens": TRAINED}
    wide, strong, regex, layers, replicated = "q_proj", "down_proj", r".*\.1\.self_attn\.(q|v)_proj", [1], True
    attention = ["q_proj", "v_proj"]

    def make(self):
        return transformers.LlamaForCausalLM(transformers.LlamaConfig(
            vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=2,
            num_attention_heads=HEADS, num_key_value_heads=2, max_position_embeddings=64, initializer_range=SPREAD,
            attention_bias=True, tie_word_embeddings=False))


class GPT2(Model):
    name, architecture, task = "gpt2", "GPT2LMHeadModel", "CAUSAL_LM"
    linear, fan_in_fan_out, attention = ["c_attn", "c_fc"], True, ["c_attn"]
    embedding, saved, tokens = "wte", ["lm_head"], {"wte": TRAINED}
    wide, strong, regex, layers = "c_attn", "c_fc", r"transformer\.h\.1\.(attn\.c_attn|mlp\.c_fc)", [1]

    def make(self):
        return transformers.GPT2LMHeadModel(transformers.GPT2Config(
            vocab_size=VOCABULARY, n_embd=WIDTH, n_inner=INNER, n_layer=2, n_head=HEADS, n_positions=64,
            initializer_range=SPREAD))


class Bert(Model):
    name, architecture, task = "bert", "BertForSequenceClassification", "SEQ_CLS"
    linear = ["query", "value", "intermediate.dense"]
    embedding, saved, tokens = "word_embeddings", ["pooler.dense", "classifier"], {"word_embeddings": TRAINED}
    wide, strong, regex, layers, replicated = "query", "value", r".*layer\.1\.attention\.self\.(query|value)", [1], True

    def make(self):
        return transformers.BertForSequenceClassification(transformers.BertConfig(
            vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=2,
            num_attention_heads=HEADS, max_position_embeddings=64, num_labels=LABELS, initializer_range=SPREAD))


class Roberta(Model):
    name, architecture, task = "roberta", "RobertaForSequenceClassification", "SEQ_CLS"
    linear = ["query", "value", "intermediate.dense"]
    embedding, saved, tokens = "word_embeddings", ["classifier"], {"word_embeddings": TRAINED}
    wide, strong, regex, layers = "query", "value", r".*layer\.1\.attention\.self\.(query|value)", [1]

    def make(self):
        return transformers.RobertaForSequenceClassification(transformers.RobertaConfig(
            vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=2,
            num_attention_heads=HEADS, max_position_embeddings=64, num_labels=LABELS, initializer_range=SPREAD))


class T5(Model):
    name, architecture, task = "t5", "T5ForConditionalGeneration", "SEQ_2_SEQ_LM"
    linear = ["q", "v", "wi"]
    embedding, saved, tokens = "embed_tokens", ["final_layer_norm"], {"shared": TRAINED}
    wide, strong, regex, layers = "q", "v", r"decoder\.block\.1\..*EncDecAttention\.(q|v)", [1]

    def make(self):
        return transformers.T5ForConditionalGeneration(transformers.T5Config(
            vocab_size=VOCABULARY, d_model=WIDTH, d_kv=8, d_ff=INNER, num_layers=2, num_heads=HEADS,
            decoder_start_token_id=0, initializer_factor=0.5, dropout_rate=0))

    def inputs(self):
        return {"input_ids": tokens(), "decoder_input_ids": tokens(length=5)}


class OPT(Model):
    name, architecture, task = "opt", "OPTForCausalLM", "CAUSAL_LM"
    linear = ["q_proj", "v_proj", "fc1"]
    embedding, saved, tokens = "embed_tokens", ["final_layer_norm"], {"embed_tokens": TRAINED}
    wide, strong, regex, layers = "q_proj", "fc1", r".*\.1\.self_attn\.(q|v)_proj", [1]
    attention = ["q_proj", "v_proj"]

    def make(self):
        return transformers.OPTForCausalLM(transformers.OPTConfig(
            vocab_size=VOCABULARY, hidden_size=WIDTH, word_embed_proj_dim=WIDTH, ffn_dim=INNER, num_hidden_layers=2,
            num_attention_heads=HEADS, max_position_embeddings=64, init_std=SPREAD))


class Whisper(Model):
    name, architecture = "whisper", "WhisperForConditionalGeneration"
    linear = ["q_proj", "v_proj", "fc1"]
    embedding, saved, tokens = "embed_tokens", ["encoder.layer_norm"], {"embed_tokens": TRAINED}
    wide, strong, regex, layers = "q_proj", "fc1", r"model\.decoder\.layers\.1\..*(q|v)_proj", [1]

    def make(self):
        return transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(
            vocab_size=VOCABULARY, d_model=WIDTH, num_mel_bins=8, encoder_layers=2, decoder_layers=2,
            encoder_attention_heads=HEADS, decoder_attention_heads=HEADS, encoder_ffn_dim=INNER, decoder_ffn_dim=INNER,
            max_source_positions=10, max_target_positions=16, init_std=SPREAD, pad_token_id=0, bos_token_id=1,
            eos_token_id=2, decoder_start_token_id=1))

    def inputs(self):
        generator = torch.Generator().manual_seed(SEED)
        return {"input_features": torch.randn(2, 8, 20, generator=generator), "decoder_input_ids": tokens(length=5)}


class Mixtral(Model):
    name, architecture, task = "mixtral", "MixtralForCausalLM", "CAUSAL_LM"
    linear = ["q_proj", "v_proj"]
    embedding, saved, tokens = "embed_tokens", ["lm_head"], {"embed_tokens": TRAINED}
    experts = ["experts.gate_up_proj", "experts.down_proj"]
    wide, strong, regex, layers, replicated = "q_proj", "v_proj", r".*\.1\.self_attn\.(q|v)_proj", [1], True

    def make(self):
        return transformers.MixtralForCausalLM(transformers.MixtralConfig(
            vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=24, num_hidden_layers=2,
            num_attention_heads=HEADS, num_key_value_heads=2, num_local_experts=4, max_position_embeddings=64,
            initializer_range=SPREAD, tie_word_embeddings=False))


class QwenMoE(Model):
    name, architecture, task = "qwen-moe", "Qwen2MoeForCausalLM", "CAUSAL_LM"
    linear = ["q_proj", "v_proj"]
    embedding, saved, tokens = "embed_tokens", ["lm_head"], {"embed_tokens": TRAINED}
    experts = ["experts.gate_up_proj", "experts.down_proj"]
    wide, strong, regex, layers = "q_proj", "v_proj", r".*\.1\.self_attn\.(q|v)_proj", [1]

    def make(self):
        return transformers.Qwen2MoeForCausalLM(transformers.Qwen2MoeConfig(
            vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=INNER, moe_intermediate_size=24,
            shared_expert_intermediate_size=24, num_hidden_layers=2, num_attention_heads=HEADS, num_key_value_heads=2,
            num_experts=4, num_experts_per_tok=2, max_position_embeddings=64, initializer_range=SPREAD,
            tie_word_embeddings=False))


class Plain(nn.Module):
    """A model that is none of transformers'."""

    def save_pretrained(self, folder):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in self.state_dict().items()},
                  folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps({"architectures": [type(self).__name__]}))


class ConvNet(Plain):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        # The name of one module ends in the whole name of another.
        self.block = nn.ModuleDict({"conv1": nn.Conv2d(8, 8, (1, 3), padding=(0, 1), dilation=1), "bn1": nn.BatchNorm2d(8)})
        self.line = nn.Conv1d(8, 12, 3, padding=1)
        self.fc = nn.Linear(12, 16)
        self.head = nn.Linear(16, LABELS)

    def forward(self, pixels):
        hidden = torch.relu(self.bn1(self.conv1(pixels)))
        hidden = torch.relu(self.block["bn1"](self.block["conv1"](hidden))).flatten(2)
        hidden = torch.relu(self.line(hidden)).mean(-1)
        return self.head(torch.relu(self.fc(hidden)))


class UNet(Plain):
    """Names and layers as in a diffusion model's UNet, with a skip, groups and attention."""

    def __init__(self):
        super().__init__()
        self.conv_in = nn.Conv2d(4, 8, 3, padding=1)
        self.down_blocks = nn.ModuleList([self.block(8, 8, 2)])
        self.mid_block = self.block(8, 8, 1)
        self.up_blocks = nn.ModuleList([self.block(16, 8, 1)])
        self.conv_out = nn.Conv2d(8, 4, 3, padding=1)

    @staticmethod
    def block(inputs, outputs, stride):
        return nn.ModuleDict({
            "norm": nn.GroupNorm(4, inputs),
            "conv": nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1),
            "mix": nn.Conv2d(outputs, outputs, 1, groups=2),
            "to_q": nn.Linear(outputs, outputs, bias=False), "to_k": nn.Linear(outputs, outputs, bias=False),
            "to_v": nn.Linear(outputs, outputs, bias=False),
            "to_out": nn.ModuleList([nn.Linear(outputs, outputs), nn.Dropout(0.0)])})

    @staticmethod
    def through(block, hidden):
        hidden = block["mix"](block["conv"](torch.nn.functional.silu(block["norm"](hidden))))
        rows = hidden.flatten(2).transpose(1, 2)
        weights = (block["to_q"](rows) @ block["to_k"](rows).transpose(1, 2) / rows.shape[-1] ** 0.5).softmax(-1)
        mixed = block["to_out"][0](weights @ block["to_v"](rows))
        return hidden + mixed.transpose(1, 2).reshape(hidden.shape)

    def forward(self, pixels):
        skip = self.conv_in(pixels)
        hidden = self.through(self.mid_block, self.through(self.down_blocks[0], skip))
        hidden = nn.functional.interpolate(hidden, scale_factor=2, mode="nearest")
        return self.conv_out(self.through(self.up_blocks[0], torch.cat([hidden, skip], 1)))


class PlainModel(Model):
    kind, shape, convolutions = None, None, True

    def make(self):
        model = self.kind()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(2)
            for name, buffer in model.named_buffers():
                # As after some steps of training.
                if name.endswith("running_mean"):
                    buffer.normal_(0, SPREAD)
                elif name.endswith("num_batches_tracked"):
                    buffer.fill_(7)
        return model

    def load(self, folder, dtype=torch.float32):
        model = self.kind()
        model.load_state_dict(load_file(f"{folder}/model.safetensors"))
        return model.to(dtype).eval()

    def inputs(self):
        generator = torch.Generator().manual_seed(SEED)
        return {"pixels": torch.randn(*self.shape, generator=generator)}


class ConvModel(PlainModel):
    name, kind, shape = "convnet", ConvNet, (2, 3, 8, 8)
    linear, conv1d, buffers = ["conv1", "fc"], ["conv1", "line"], ["bn1"]
    saved, wide, strong, regex = ["head"], "conv1", "fc", r"conv1|fc"


class UNetModel(PlainModel):
    name, kind, shape = "unet", UNet, (2, 4, 8, 8)
    linear = ["conv", "to_q", "to_v", "to_out.0"]
    saved, wide, strong, regex = ["conv_in", "conv_out"], "to_q", "to_v", r"(mid_block|up_blocks\.0)\.(conv|to_out\.0)"


ALL = [model() for model in (
    Llama, GPT2, Bert, Roberta, T5, OPT, Whisper, Mixtral, QwenMoE, ConvModel, UNetModel)]
