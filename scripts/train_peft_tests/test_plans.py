import torch
from safetensors.torch import save_file

import train_peft
from folders import CAUSAL, CLASSES, SEQUENCE, TrainerTest


class PlanTest(TrainerTest):
    """What a plan asks is done, or refused by name."""

    def setUp(self):
        super().setUp()
        self.model, self.texts = self.base("bert", "sequence"), self.data("data.tsv", SEQUENCE)
        self.adapter(self.model, "sequence", target_modules=["query"])

    def command(self, *options):
        return self.run_command(self.model, self.texts, *CLASSES, *options)

    def test_one_factor_is_trained_and_sent(self):
        self.adapter(self.model, "sequence", target_modules=["query", "word_embeddings"],
                     plan={"train": ["B"], "send": ["A", "B"]})
        self.train(self.model, self.texts, *CLASSES)
        for name, tensor in self.sent().items():
            self.assertEqual(torch.equal(tensor, self.given()[name]), "_A" in name, name)
        self.change_plan(send=["B"])
        self.train(self.model, self.texts, *CLASSES)
        self.assertFalse([name for name in self.sent() if "_A" in name])
        self.assertTrue([name for name in self.sent() if "lora_embedding_B" in name])

    def test_settings_are_refused_by_name(self):
        for training, *words in (
            ({"feature_scale": 2}, "feature_scale", "clip_norm"), ({"epochs": 0}, "epochs", "from 1", "0"),
            ({"epochs": 1.5}, "epochs", "whole"), ({"epochs": True}, "epochs"), ({"learning_rate": "fast"}, "learning_rate"),
            ({"optimizer": "lion"}, "optimizer", "adamw", "lion"), ({"schedule": "step"}, "schedule", "cosine"),
            ({"optimizer": "adamw", "momentum": 0.9}, "momentum", "adamw"), ({"beta1": 0.8}, "beta1", "sgd"),
            ({"warmup_steps": 1, "warmup_share": 0.1}, "warmup_share"), ({"max_length": 1000}, "1000", "40"),
        ):
            self.change_plan(training=training)
            self.refused(self.command(), *words)

    def test_settings_are_obeyed(self):
        self.change_plan(training={
            "epochs": 3.0, "batch_size": 3, "optimizer": "adamw", "learning_rate": 0.01, "beta1": 0.8, "beta2": 0.99,
            "epsilon": 1e-6, "weight_decay": 0.1, "schedule": "cosine", "warmup_share": 0.5, "clip_norm": 1, "max_length": 8,
            "momentum": None})
        self.assertEqual(self.command().out.count("epoch"), 3)
        # A schedule that never leaves its warm-up's first step trains nothing.
        self.change_plan(training={"epochs": 1, "batch_size": 8, "warmup_steps": 5, "schedule": "linear"})
        self.assertEqual(self.command().code, 0)
        for name, tensor in self.sent().items():
            self.assertTrue(torch.equal(tensor, self.given()[name]))

    def test_the_rate_follows_its_schedule(self):
        for schedule, warm, rates in (
            ("constant", {"warmup_steps": 2}, [0, 0.5, 1, 1, 1, 1]),
            ("linear", {"warmup_share": 0.3}, [0, 0.5, 1, 0.75, 0.5, 0.25]),
            ("cosine", {}, [1, 0.933, 0.75, 0.5, 0.25, 0.067]),
        ):
            settings = train_peft.read_settings({"schedule": schedule, "learning_rate": 1, **warm})
            optimizer, changing = train_peft.optimizer_of([torch.nn.Parameter(torch.zeros(1))], settings, 6)
            for rate in rates:
                self.assertAlmostEqual(optimizer.param_groups[0]["lr"], rate, places=3)
                optimizer.step()
                changing.step()

    def test_stages(self):
        self.change_plan(stage={"name": "sparse", "density": 0.1, "seed": 1})
        self.refused(self.command(), "sparse", code=75)
        self.change_plan(stage={"name": "distil"})
        self.refused(self.command(), "distil")

    def test_a_module_without_a_scale_is_refused(self):
        scales = self.read("plan.json", "IN")["scales"]
        name = sorted(scales)[0]
        self.change_plan(scales={key: scale for key, scale in scales.items() if key != name})
        self.refused(self.command(), name)

    def test_dense_tensors_are_those_of_the_federation(self):
        # The first one is in the model, but the configuration does not have it trained.
        for name in ("classifier.weight", "score.weight"):
            self.change_plan(dense={name: [2, 16]})
            self.refused(self.command(), name, "no place")
        self.adapter(self.model, "sequence", target_modules=["query"], modules_to_save=["classifier"], drop=["classifier"])
        dense = self.read("plan.json", "IN")["dense"]
        self.change_plan(dense={**dense, "classifier.bias": [3]})
        self.refused(self.command(), "classifier.bias", "[3]", "[2]")
        self.change_plan(dense={"classifier.weight": [2, 16]})
        self.refused(self.command(), "classifier.bias", "has not")
        # Older servers do not say.
        self.change_plan(dense=None)
        self.train(self.model, self.texts, *CLASSES)
        self.assertEqual(len(self.sent()), len(self.given()) + 2)

    def test_factors_that_are_not_known_are_refused(self):
        self.change_plan(train=["A", "E"])
        self.refused(self.command(), "train", "E")

    def test_a_loss_that_is_not_finite_fails(self):
        tensors = {name: torch.full_like(tensor, 1e38) for name, tensor in self.given().items()}
        save_file(tensors, self.folder / "IN" / "adapter_model.safetensors")
        self.refused(self.command(), "not finite", code=1)

    def test_penalties_are_norms_of_products(self):
        for kind, config in (
            ("llama", {"target_modules": ["embed_tokens", "q_proj"]}), ("gpt2", {"target_modules": ["c_attn"]}),
            ("mixtral", {"target_modules": [], "target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]}),
        ):
            model = self.adapter(self.base(kind, "causal"), "causal", **config)
            products = [layer.get_delta_weight("default") / layer.scaling["default"]
                        for _, layer in train_peft.lora_layers(model)]
            torch.testing.assert_close(
                train_peft.penalty(model, {"penalty": 0.5}), 0.5 * sum(product.square().sum() for product in products))
            expected = 0
            for name, layer in train_peft.lora_layers(model):
                if kind == "mixtral":
                    # A: experts x ranks; B: ranks x experts.
                    a, b = (factor["default"].weight for factor in (layer.lora_A, layer.lora_B))
                    expected += sum(a[2 * expert + 1].norm() * b[:, 2 + expert].norm() for expert in range(2))
                else:
                    a, b = (factor[0] for factor in train_peft.factors(name, layer))
                    expected += a[1].norm() * b[:, 1].norm()
            torch.testing.assert_close(
                train_peft.penalty(model, {"pruning": {"gamma": 0.5, "penalty": 0.1}}), 0.1 * expected)

    def test_a_penalty_draws_an_embedding_to_the_base(self):
        base, data = self.base("llama", "causal"), self.data("data.tsv", CAUSAL)
        sizes = []
        for drift in (0, 10):
            self.adapter(base, "causal", target_modules=["embed_tokens"], plan={"penalty": drift})
            self.train(base, data)
            a, b = (self.sent()[f"base_model.model.model.embed_tokens.lora_embedding_{factor}"] for factor in "AB")
            sizes.append((b @ a).norm())
        self.assertLess(sizes[1], sizes[0] / 2)
