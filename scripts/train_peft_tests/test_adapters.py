import torch
from safetensors.torch import save_file

import train_peft
from folders import CAUSAL, CLASSES, SEQUENCE, TrainerTest, scales_of


class AdapterTest(TrainerTest):
    """Whatever kind of adapter IN holds, with and without its dense tensors."""

    def check(self, kind, head, task, lines, *options, dropped=(), **config):
        """Trains from the whole file and from one without the dense tensors, with one result; returns what did not move."""
        base, data = self.base(kind, head), self.data("data.tsv", lines)
        self.adapter(base, task, **config)
        given = self.given()
        self.train(base, data, *options)
        whole = self.sent()
        self.assertEqual(whole.keys(), given.keys())
        self.adapter(base, task, drop=dropped, **config)
        self.train(base, data, *options)
        for name in given:
            if ".original_module." in name or ".modules_to_save." in name:
                self.assertNotIn(name, self.sent())
            else:
                torch.testing.assert_close(self.sent()[name], whole[name], msg=name)
        return [name for name in given if torch.equal(whole[name], given[name])]

    def test_dora(self):
        self.assertEqual(self.check(
            "bert", "sequence", "sequence", SEQUENCE, *CLASSES, use_dora=True, target_modules=["query"]), [])

    def test_missing_dora_magnitudes_are_those_of_the_base_and_the_factors(self):
        data = self.data("data.tsv", CAUSAL)
        for kind, names in (("llama", ["q_proj", "embed_tokens"]), ("gpt2", ["c_attn"])):
            base = self.base(kind, "causal")
            model = self.adapter(base, "causal", use_dora=True, target_modules=names, drop=["magnitude"],
                                 plan={"training": {"learning_rate": 0}})
            self.change_plan(scales={name: 3.0 for name in scales_of(model)})
            self.train(base, data)
            for name, layer in train_peft.lora_layers(model):
                total = layer.base_layer.weight + 3 / layer.scaling["default"] * layer.get_delta_weight("default")
                # The outputs are the rows of a linear layer, and the columns of the others.
                expected = total.norm(dim=1 if "q_proj" in name else 0)
                torch.testing.assert_close(self.sent()[f"{train_peft.PREFIX}{name}.lora_magnitude_vector"], expected)

    def test_dora_of_a_conv1d(self):
        self.check("gpt2", "causal", "causal", CAUSAL, use_dora=True, target_modules=["c_attn"])

    def test_bias_lora_only(self):
        self.assertEqual(self.check("opt", "causal", "causal", CAUSAL, bias="lora_only", target_modules=["q_proj"],
                         dropped=[".bias"]), [])

    def test_bias_all_with_a_head(self):
        frozen = self.check("bert", "sequence", "sequence", SEQUENCE, *CLASSES, bias="all", target_modules=["query"],
                            modules_to_save=["classifier"], dropped=[".bias", "classifier"])
        self.assertEqual(frozen, ["base_model.model.classifier.original_module.bias"])

    def test_modules_to_save(self):
        self.assertEqual(self.check("gpt2", "causal", "causal", CAUSAL, target_modules=["c_attn"],
                         modules_to_save=["ln_f"], dropped=["ln_f"]), [])

    def test_trainable_tokens(self):
        self.assertEqual(self.check("llama", "causal", "causal", CAUSAL, target_modules=["q_proj"],
                         trainable_token_indices=[5, 6], dropped=["token_adapter"]), [])

    def test_lora_biases(self):
        self.assertEqual(self.check("bert", "sequence", "sequence", SEQUENCE, *CLASSES, target_modules=["query"],
                         lora_bias=True), [])

    def test_rslora_and_patterns(self):
        # PEFT takes the first pattern that fits, and the order of the alphabet would be another one.
        ranks = {"layer.1.attention.self.query": 4, "attention.self.query": 3}
        self.check("bert", "sequence", "sequence", SEQUENCE, *CLASSES, target_modules=["query", "value"], use_rslora=True,
                   rank_pattern=ranks, alpha_pattern={"value": 5})
        config = self.read("adapter_config.json")
        self.assertEqual(list(config["rank_pattern"].items()), list(ranks.items()))
        self.assertEqual((config["alpha_pattern"], config["use_rslora"]), ({"value": 5}, True))
        self.assertEqual(config["target_modules"], ["query", "value"])

    def test_an_activated_lora(self):
        self.check("llama", "causal", "causal", CAUSAL, target_modules=["q_proj"], alora_invocation_tokens=[4])

    def test_replicated_layers(self):
        self.check("llama", "causal", "causal", CAUSAL, target_modules=["q_proj"], layer_replication=[[0, 2], [1, 2]])


    def test_an_embedding(self):
        """PEFT saves the embedding's weight beside the factors; it is read, but stays as it is and is not sent."""
        base, data = self.base("llama", "causal"), self.data("data.tsv", CAUSAL)
        self.adapter(base, "causal", target_modules=["embed_tokens", "q_proj"])
        given = self.given()
        weight = "base_model.model.model.embed_tokens.base_layer.weight"
        self.assertIn(weight, given)
        self.train(base, data)
        self.assertEqual(self.sent().keys(), given.keys() - {weight})
        self.assertFalse([name for name, tensor in self.sent().items() if torch.equal(tensor, given[name])])
        # The server names modules by their paths.
        sent = self.sent()
        paths = ["model.embed_tokens", *(f"model.layers.{layer}.self_attn.q_proj" for layer in range(2))]
        self.change("adapter_config.json", target_modules=paths)
        self.train(base, data)
        for name, tensor in self.sent().items():
            self.assertTrue(torch.equal(tensor, sent[name]))
        with_weight = self.evaluate(base, data, "IN")
        path = self.folder / "IN" / "adapter_model.safetensors"
        save_file({**given, weight: given[weight] * 2}, path)
        self.assertNotAlmostEqual(self.evaluate(base, data, "IN")["loss"], with_weight["loss"])

    def test_a_tensor_without_a_place_is_refused(self):
        base, data = self.base("bert", "sequence"), self.data("data.tsv", SEQUENCE)
        for name in ("base_model.model.bert.pooler.dense.lora_A.weight", "base_model.model.score.weight",
                     "base_model.model.bert.encoder.layer.0.attention.self.query.lora_magnitude_vector"):
            self.adapter(base, "sequence", target_modules=["query"])
            path = self.folder / "IN" / "adapter_model.safetensors"
            save_file({**self.given(), name: torch.ones(2, 16)}, path)
            self.refused(self.run_command(base, data, *CLASSES), name, "no place")

    def test_a_missing_factor_is_refused(self):
        base, data = self.base("llama", "causal"), self.data("data.tsv", CAUSAL)
        for name in ("layers.1.self_attn.q_proj.lora_B.weight", "embed_tokens.lora_embedding_A"):
            self.adapter(base, "causal", target_modules=["q_proj", "embed_tokens"], drop=[name])
            self.refused(self.run_command(base, data), "lacks", name)

    def test_a_factor_of_another_shape_is_refused(self):
        base, data = self.base("bert", "sequence"), self.data("data.tsv", SEQUENCE)
        self.adapter(base, "sequence", target_modules=["query"])
        name = next(name for name in self.given() if "lora_A" in name)
        save_file({**self.given(), name: torch.ones(3, 16)}, self.folder / "IN" / "adapter_model.safetensors")
        self.refused(self.run_command(base, data, *CLASSES), name, "[3, 16]", "[2, 16]")

    def test_a_configuration_that_is_not_understood_is_refused(self):
        base, data = self.base("bert", "sequence"), self.data("data.tsv", SEQUENCE)
        self.adapter(base, "sequence", target_modules=["query"])
        for key, value in (("target_modules", ["absent"]), ("use_wonder", True), ("peft_type", "IA3")):
            self.change("adapter_config.json", **{key: value})
            self.refused(self.run_command(base, data, *CLASSES), value[0] if isinstance(value, list) else key)

    def test_a_head_that_the_configuration_does_not_name_stays_as_it_is(self):
        base, data = self.base("bert", "sequence"), self.data("data.tsv", SEQUENCE)
        for task_type in (None, "SEQ_CLS"):
            self.adapter(base, "sequence", target_modules=["query"])
            self.change("adapter_config.json", task_type=task_type)
            self.train(base, data, *CLASSES)
            self.assertFalse([name for name in self.sent() if "classifier" in name])
            # With this task PEFT would look for a head in the file.
            self.assertEqual(self.read("adapter_config.json")["task_type"], task_type)

    def test_a_head_whose_layers_are_named_one_by_one(self):
        base, data = self.base("roberta"), self.data("data.tsv", SEQUENCE)
        self.adapter(base, "sequence", drop=["classifier"], target_modules=["query"],
                     modules_to_save=["classifier.dense", "classifier.out_proj"])
        self.train(base, data, *CLASSES)
        self.assertEqual(len(self.sent()), len(self.given()) + 4)
        # Under SEQ_CLS PEFT would take the head as a whole.
        self.assertIsNone(self.read("adapter_config.json")["task_type"])

    def test_a_head_is_found_where_only_the_task_names_it(self):
        base, data = self.base("bert", "sequence"), self.data("data.tsv", SEQUENCE)
        self.adapter(base, "sequence", target_modules=["query"], task_type="SEQ_CLS")
        self.assertEqual(self.read("adapter_config.json", "IN")["modules_to_save"], ["classifier", "score"])
        for saved in (["classifier", "score"], None):
            self.change("adapter_config.json", modules_to_save=saved)
            self.train(base, data, *CLASSES)
            self.assertEqual(self.sent().keys(), self.given().keys())
            self.assertEqual(self.read("adapter_config.json")["task_type"], "SEQ_CLS")
