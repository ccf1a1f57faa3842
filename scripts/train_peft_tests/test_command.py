import shutil
import unittest
import wave

import numpy
import torch

import train_peft
from folders import CAUSAL, CLASSES, SEQ2SEQ, SEQUENCE, TrainerTest


class CommandTest(TrainerTest):
    """Options and data are used, or refused by name."""

    def test_gradient_checkpointing_changes_nothing(self):
        data = self.data("data.tsv", CAUSAL)
        for kind, config in (("llama", {"target_modules": ["q_proj"]}), ("mixtral", {
                "target_modules": ["q_proj"], "target_parameters": ["mlp.experts.gate_up_proj"]})):
            base, sent = self.base(kind, "causal"), []
            for options in ([], ["--gradient-checkpointing"]):
                self.adapter(base, "causal", **config)
                self.train(base, data, *options)
                sent.append(self.sent())
            for name, tensor in sent[0].items():
                torch.testing.assert_close(tensor, sent[1][name], msg=name)

    def test_a_base_in_bfloat16_is_trained_in_float32(self):
        texts, tsv = self.data("texts.tsv", CAUSAL), self.data("classes.tsv", SEQUENCE)
        pairs = self.data("pairs.tsv", SEQ2SEQ)
        for kind, head, data, options, config in (
            ("llama", "causal", texts, [], {"target_modules": ["q_proj"], "trainable_token_indices": [5, 6]}),
            ("llama", "causal", texts, [], {"target_modules": ["q_proj", "embed_tokens"], "use_dora": True}),
            ("opt", "causal", texts, [], {"target_modules": ["q_proj"], "bias": "lora_only"}),
            ("mixtral", "causal", texts, [], {"target_modules": ["q_proj"], "target_parameters": ["mlp.experts.down_proj"]}),
            ("bert", "sequence", tsv, CLASSES, {
                "target_modules": ["query"], "bias": "all", "modules_to_save": ["classifier"]}),
            ("t5", "seq2seq", pairs, ["--task", "seq2seq"], {
                "target_modules": ["q", "wi"], "modules_to_save": ["final_layer_norm"]}),
        ):
            with self.subTest(kind, **config):
                base = self.base(kind, head)
                self.adapter(base, head, plan={"training": {"learning_rate": 1e-6}}, **config)
                self.train(base, data, *options, "--dtype", "bfloat16")
                self.assertEqual({tensor.dtype for tensor in self.sent().values()}, {torch.float32})
                # Steps as small as these vanish in bfloat16.
                given = self.given()
                for name, tensor in self.sent().items():
                    if ".original_module." not in name:
                        self.assertLess(0, (tensor - given[name]).abs().max(), name)
                        torch.testing.assert_close(tensor, given[name], rtol=0, atol=1e-4, msg=name)

    def test_four_bits_need_bitsandbytes(self):
        if train_peft.importlib.util.find_spec("bitsandbytes"):
            self.skipTest("bitsandbytes is installed")
        base = self.base("llama", "causal")
        self.adapter(base, "causal", target_modules=["q_proj"])
        self.refused(self.run_command(base, self.data("data.tsv", CAUSAL), "--load-in-4bit"), "bitsandbytes", "pip install")

    @unittest.skipUnless(train_peft.importlib.util.find_spec("bitsandbytes"), "bitsandbytes is not installed")
    def test_a_base_in_four_bits(self):
        for kind, head, task, lines, options, config in (
            ("llama", "causal", "causal", CAUSAL, [], {"target_modules": ["q_proj"], "use_dora": True}),
            ("t5", "seq2seq", "seq2seq", SEQ2SEQ, ["--task", "seq2seq"], {"target_modules": ["q"]}),
            ("roberta", "none", "sequence", SEQUENCE, CLASSES, {
                "target_modules": ["query"], "modules_to_save": ["classifier"]}),
        ):
            for dtype in ("float32", "bfloat16"):
                base, data = self.base(kind, head), self.data("data.tsv", lines)
                self.adapter(base, task, drop=["classifier"], **config)
                self.train(base, data, *options, "--load-in-4bit", "--dtype", dtype, "--gradient-checkpointing")
                self.assertEqual({tensor.dtype for tensor in self.sent().values()}, {torch.float32})
        # A merge has no place in a quantised weight.
        self.adapter(self.base("llama", "causal"), "causal", target_modules=["q_proj"], plan={"merge": {"round": 1}})
        shutil.copy(self.folder / "IN" / "adapter_model.safetensors", self.folder / "IN" / "merge.safetensors")
        result = self.run_command(self.base("llama", "causal"), self.data("data.tsv", CAUSAL), "--load-in-4bit")
        self.refused(result, "q_proj", "quantised")

    def test_data_are_refused_by_file_and_line(self):
        base = self.base("bert", "sequence")
        self.adapter(base, "sequence", target_modules=["query"])
        good = {"text": "the cat", "label": "colour"}
        tokens = {"tokens": ["the", "cat"], "labels": ["colour", "other"]}
        cases = [
            (".tsv", [*SEQUENCE[:1], "no tab here"], CLASSES, "line 2", "tab", "no tab here"),
            (".tsv", ["wrong\tthe cat"], CLASSES, "line 1", "colour, other", "wrong"),
            (".tsv", [], CLASSES, "found none"),
            (".tsv", ["a\tb\tc"], ["--task", "seq2seq"], "line 1", "text, tab, target"),
            (".tsv", ["a\tb"], ["--task", "token", *CLASSES], ".jsonl"),
            (".jsonl", ["{"], CLASSES, "line 1", "JSON object"),
            (".jsonl", [good, [1]], CLASSES, "line 2", "JSON object", "[1]"),
            (".jsonl", [good, {**good, "id": 4}], CLASSES, "line 2", "'id'", "--ignore-keys"),
            (".jsonl", [{"text": "the cat"}], CLASSES, "line 1", "colour, other", "None"),
            (".jsonl", [{**good, "text": 4}], CLASSES, "line 1", "string", "4"),
            (".jsonl", [{**good, "label": True}], CLASSES, "line 1", "True"),
            (".jsonl", [{**tokens, "labels": ["other"]}], ["--task", "token", *CLASSES], "line 1", "2 labels"),
            (".jsonl", [{**tokens, "tokens": "the cat"}], ["--task", "token", *CLASSES], "line 1", "list of tokens"),
            (".jsonl", [{"target": "the"}], ["--task", "seq2seq"], "line 1", "text, audio, features"),
            (".jsonl", [{"text": "the"}], ["--task", "seq2seq"], "line 1", "target", "None"),
            (".jsonl", [{"text": "the", "target": "a"}, {"audio": "a.wav", "target": "a"}], ["--task", "seq2seq"],
             "line 2", "text", "audio"),
        ]
        for number, (ending, lines, options, *words) in enumerate(cases):
            data = self.data(f"{number}{ending}", lines)
            self.refused(self.run_command(base, data, *options), data.name, *words)
        self.refused(self.run_command(base, self.folder / "absent.tsv", *CLASSES), "absent.tsv")
        self.refused(self.run_command(base, "", *CLASSES), "RANKWISE_DATA")
        (self.folder / "latin.tsv").write_bytes(b"colour\tcaf\xe9\n")
        self.refused(self.run_command(base, self.folder / "latin.tsv", *CLASSES), "latin.tsv", "UTF-8")

    def test_texts_that_teach_nothing_are_refused(self):
        base = self.base("llama", "causal")
        self.adapter(base, "causal", target_modules=["q_proj"])
        data = self.data("data.tsv", [*CAUSAL[:2], "x\tcat"])
        self.refused(self.run_command(base, data), "data.tsv, line 3", "2 tokens", "found 1")

    def test_clips_are_refused_by_file_and_line(self):
        base = self.base("whisper", "speech")
        self.adapter(base, "speech", target_modules=["q_proj"])
        with wave.open(str(self.folder / "fast.wav"), "wb") as file:
            file.setparams((2, 2, 16000, 0, "NONE", ""))
            file.writeframes(bytes(64))
        (self.folder / "text.wav").write_text("the cat")
        numpy.save(self.folder / "whole.npy", numpy.ones((8, 100), dtype=int))
        for record, *words in (
            ({"audio": "fast.wav"}, "1 channel of 16 bits at 8000", "2 of 16 bits at 16000"),
            ({"audio": "text.wav"}, "text.wav"), ({"audio": "absent.wav"}, "absent.wav"),
            ({"features": "whole.npy"}, "floats", "int64"),
        ):
            data = self.data("clips.jsonl", [{**record, "target": "the"}])
            self.refused(self.run_command(base, data, "--task", "seq2seq"), "clips.jsonl, line 1", *words)

    def test_wrong_command_lines_are_refused(self):
        base, data = self.base("bert", "sequence"), self.data("data.tsv", SEQUENCE)
        self.adapter(base, "sequence", target_modules=["query"])
        self.refused(self.run_command(base, data, "--task", "token"), "token", "--labels")
        self.refused(self.run_command(base, data, "--task", "causal", *CLASSES), "causal", "--labels")
        self.refused(self.run_command(base, data, "--colour", "red"), "--colour")
        self.refused(self.run_command(base, data, *CLASSES, "--max-length", "100"), "100", "40")
        self.refused(self.run_command(self.folder, data, *CLASSES), str(self.folder))
        self.refused(self.run_command(base, data, *CLASSES, folders=[self.folder]), "IN and OUT")
        self.refused(self.run_command(base, data, "--labels", "colour,other,third"), "classifier.bias", "[2]", "[3]")
