import copy
import shutil

import peft
import torch
import transformers
from peft import LoraConfig
from safetensors.torch import save_file

import train_peft
from folders import CAUSAL, TrainerTest
from tiny_models import auto, word_tokenizer


class Layers(torch.nn.Module):
    """One layer of every kind that a merge changes."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(9, 6)
        self.linear = torch.nn.Linear(6, 5, bias=False)
        self.biased = torch.nn.Linear(6, 5)
        self.conv1d = transformers.pytorch_utils.Conv1D(4, 6)
        self.image = torch.nn.Conv2d(3, 4, (3, 2))
        self.pointwise = torch.nn.Conv2d(4, 4, 1)
        self.line = torch.nn.Conv1d(3, 4, 3)
        self.grouped = torch.nn.Conv2d(4, 4, 3, groups=2)
        self.norm = torch.nn.LayerNorm(6)

    def forward(self):
        pass


class MergeTest(TrainerTest):
    """A merge is added as PEFT's merge_and_unload adds an adapter of scale 1."""

    def merge(self, model, **config):
        """The model with a random adapter added by PEFT, and the folder that holds it as a merge."""
        torch.manual_seed(5)
        # The ranks of a merge are its own: here above the smaller side of some matrices.
        adapted = peft.get_peft_model(copy.deepcopy(model), LoraConfig(
            r=8, lora_alpha=8, init_lora_weights=False, **config))
        for name, parameter in adapted.named_parameters():
            if name.endswith(".lora_B.default.bias"):
                torch.nn.init.normal_(parameter)
        tensors = peft.get_peft_model_state_dict(adapted, save_embedding_layers=False)
        (self.folder / "adapter_config.json").write_text("{}")
        save_file({name: tensor.clone().contiguous() for name, tensor in tensors.items()},
                  self.folder / "merge.safetensors")
        return adapted.merge_and_unload()

    def test_layers_of_every_kind(self):
        for biases, names in ((False, ["embedding", "linear", "biased", "conv1d", "image", "pointwise", "line"]),
                              (True, ["biased", "conv1d", "image", "line"])):
            torch.manual_seed(1)
            model = Layers()
            before = copy.deepcopy(model.state_dict())
            expected = self.merge(model, target_modules=names, lora_bias=biases).state_dict()
            train_peft.add_merge(model, self.folder)
            for name, tensor in model.state_dict().items():
                torch.testing.assert_close(tensor, expected[name], msg=name)
                self.assertEqual(
                    torch.equal(tensor, before[name]),
                    name.split(".")[0] not in names or (name.endswith("bias") and not biases), name)

    def test_a_base_in_bfloat16(self):
        model = Layers()
        expected = self.merge(model, target_modules=["linear", "embedding"]).bfloat16().state_dict()
        model = model.bfloat16()
        train_peft.add_merge(model, self.folder)
        for name, tensor in model.state_dict().items():
            torch.testing.assert_close(tensor, expected[name], rtol=0.02, atol=0.02, msg=name)

    def test_a_tied_weight_changes_only_where_the_merge_names_it(self):
        for name in ("lm_head", "embed_tokens"):
            base = auto("causal").from_pretrained(self.base("llama", "causal", tie_word_embeddings=True))
            self.assertIs(base.lm_head.weight, base.model.embed_tokens.weight)
            adapted = peft.get_peft_model(copy.deepcopy(base), LoraConfig(
                r=2, lora_alpha=2, target_modules=[name], init_lora_weights=False))
            tensors = peft.get_peft_model_state_dict(adapted, save_embedding_layers=False)
            save_file({name: tensor.clone() for name, tensor in tensors.items()}, self.folder / "merge.safetensors")
            (self.folder / "adapter_config.json").write_text("{}")
            train_peft.add_merge(base, self.folder)
            tokens = torch.tensor([[4, 5, 6, 7]])
            torch.testing.assert_close(base(input_ids=tokens).logits, adapted(input_ids=tokens).logits)
            self.assertFalse(base.config.tie_word_embeddings)

    def test_what_has_no_place_is_refused_by_name(self):
        a, b = torch.ones(2, 6), torch.ones(5, 2)
        for words, tensors in (
            (["absent"], {"absent.lora_A.weight": a, "absent.lora_B.weight": b}),
            (["norm", "LayerNorm"], {"norm.lora_A.weight": a, "norm.lora_B.weight": b}),
            (["linear", "[2, 7]", "[5, 6]"], {"linear.lora_A.weight": torch.ones(2, 7), "linear.lora_B.weight": b}),
            (["linear", "[3, 6]", "[5, 2]"], {"linear.lora_A.weight": torch.ones(3, 6), "linear.lora_B.weight": b}),
            (["linear", "bias"], {"linear.lora_A.weight": a, "linear.lora_B.weight": b, "linear.lora_B.bias": torch.ones(5)}),
            (["linear", "A of"], {"linear.lora_A.weight": a}),
            (["linear.weight"], {"linear.weight": b}),
            (["linear.lora_magnitude_vector"], {"linear.lora_magnitude_vector": b}),
            (["grouped"], {"grouped.lora_A.weight": torch.ones(2, 4, 3, 3), "grouped.lora_B.weight": torch.ones(4, 1, 1, 1)}),
        ):
            save_file({train_peft.PREFIX + name: tensor.clone() for name, tensor in tensors.items()},
                      self.folder / "merge.safetensors")
            (self.folder / "adapter_config.json").write_text("{}")
            with self.assertRaises(train_peft.Stop, msg=str(words)) as raised:
                train_peft.add_merge(Layers(), self.folder)
            for word in words:
                self.assertIn(word, str(raised.exception))

    def test_a_merge_for_replicated_layers_is_refused(self):
        self.merge(Layers(), target_modules=["linear"])
        (self.folder / "adapter_config.json").write_text('{"layer_replication": [[0, 1], [0, 1]]}')
        with self.assertRaisesRegex(train_peft.Stop, "layer_replication"):
            train_peft.add_merge(Layers(), self.folder)

    def test_the_command_adds_the_merge(self):
        # PEFT's own merge would change what is tied to the embedding, too.
        base, data = self.base("gpt2", "causal", tie_word_embeddings=False), self.data("data.tsv", CAUSAL)
        model = auto("causal").from_pretrained(base)
        names = ["c_attn", "wte", "wpe"]
        merged = self.merge(model, target_modules=names)
        merged.save_pretrained(self.folder / "merged")
        word_tokenizer(self.folder / "merged")
        sent = []
        for folder, merge in ((base, {"round": 3, "since": 0, "href": ""}), (self.folder / "merged", None)):
            self.adapter(base, "causal", target_modules=names, plan={"merge": merge})
            shutil.copy(self.folder / "merge.safetensors", self.folder / "IN")
            # The embedding's weight that PEFT saves is the one without the merge.
            path = self.folder / "IN" / "adapter_model.safetensors"
            save_file({name: tensor for name, tensor in self.given().items() if "base_layer" not in name}, path)
            self.train(folder, data)
            sent.append(self.sent())
        for name, tensor in sent[0].items():
            torch.testing.assert_close(tensor, sent[1][name], msg=name)
