import os
import subprocess
import sys
import types
import wave

import numpy
import torch

import train_peft
from folders import CAUSAL, CLASSES, COMMAND, SEQ2SEQ, SEQUENCE, TEXTS, TOKEN, TrainerTest
from tiny_models import WORDS


class TaskTest(TrainerTest):
    """Every task trains, sends what IN had, and says how it went."""

    def check(self, kind, head, task, lines, *options, epochs=4, **config):
        base = self.base(kind, head)
        data = self.data("data.jsonl" if isinstance(lines[0], dict) else "data.tsv", lines)
        self.adapter(base, task, plan={"training": {"epochs": epochs}}, **config)
        options = [*options, *(["--task", "seq2seq"] if task == "speech" else ["--task", task])]
        result = self.train(base, data, *options)
        losses = [float(line.split("loss ")[1].split(",")[0]) for line in result.out.splitlines()]
        self.assertEqual(len(losses), epochs)
        self.assertLess(losses[-1], losses[0])
        metrics = self.read("metrics.json")
        seq2seq = task in ("seq2seq", "speech")
        self.assertEqual(set(metrics), {"samples", "loss"} | (set() if seq2seq else {"accuracy"}))
        self.assertEqual(metrics["samples"], len(lines))
        self.assertAlmostEqual(metrics["loss"], losses[-1], places=4)
        given, sent = self.given(), self.sent()
        self.assertEqual(sent.keys(), given.keys())
        changed = [key for key in given if not torch.equal(sent[key].reshape(-1), given[key].reshape(-1))]
        self.assertEqual(sorted(changed), sorted(given))
        self.assertEqual({tensor.dtype for tensor in sent.values()}, {torch.float32})
        # What was sent loads in PEFT and scores as the command says.
        before, after = (self.evaluate(base, data, folder, *options) for folder in ("IN", "OUT"))
        self.assertLess(after["loss"], before["loss"])
        self.assertEqual(set(after), set(metrics))
        config = self.read("adapter_config.json")
        self.assertEqual(config["task_type"], train_peft.TASK_TYPES["seq2seq" if seq2seq else task].value)
        self.assertEqual((config["r"], config["lora_alpha"]), (2, 4))
        self.assertEqual(config["base_model_name_or_path"], str(base))

    def test_gpt2_is_a_causal_language_model(self):
        self.check("gpt2", "causal", "causal", CAUSAL, target_modules=["c_attn", "c_fc"])
        self.assertTrue(self.read("adapter_config.json")["fan_in_fan_out"])

    def test_opt_is_a_causal_language_model(self):
        self.check("opt", "causal", "causal", [{"text": text} for text in TEXTS], target_modules=["q_proj", "v_proj"])

    def test_llama_is_a_causal_language_model(self):
        self.check("llama", "causal", "causal", CAUSAL, target_modules=["q_proj", "down_proj"])

    def test_mixtral_is_trained_at_the_parameters_of_its_experts(self):
        self.check(
            "mixtral", "causal", "causal", CAUSAL, target_modules=["q_proj"],
            target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"])
        self.assertTrue(any(".experts.base_layer.lora_A" in name for name in self.sent()))

    def test_bert_classifies_texts(self):
        self.check("bert", "sequence", "sequence", SEQUENCE, *CLASSES, target_modules=["query"],
                   modules_to_save=["classifier"])

    def test_roberta_classifies_texts(self):
        records = [dict(zip(("label", "text"), line.split("\t"))) for line in SEQUENCE]
        self.check("roberta", "sequence", "sequence", records, *CLASSES, target_modules=["query"],
                   modules_to_save=["classifier"])

    def test_bert_classifies_tokens(self):
        self.check("bert", "token", "token", TOKEN, "--labels", "O,B", target_modules=["value"],
                   modules_to_save=["classifier"])

    def test_roberta_classifies_tokens(self):
        self.check("roberta", "token", "token", TOKEN, "--labels", "O,B", target_modules=["value"],
                   modules_to_save=["classifier"])

    def test_t5_maps_text_to_text(self):
        self.check("t5", "seq2seq", "seq2seq", SEQ2SEQ, target_modules=["q", "v"])

    def test_whisper_maps_audio_to_text(self):
        records = []
        for number in range(4):
            path = self.folder / f"{number}.wav"
            with wave.open(str(path), "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", ""))
                tone = numpy.sin(numpy.arange(8000 + number * 100) * (number + 1) / 20)
                file.writeframes((tone * 20000).astype("<i2").tobytes())
            records.append({"audio": path.name, "target": WORDS[number]})
        self.check("whisper", "speech", "speech", records, target_modules=["q_proj", "v_proj"])

    def test_whisper_maps_features_to_text(self):
        records = []
        for number in range(4):
            generator = numpy.random.default_rng(number)
            numpy.save(self.folder / f"{number}.npy", generator.normal(size=(8, 100)).astype("float32"))
            records.append({"features": f"{number}.npy", "target": WORDS[number], "id": number})
        self.check("whisper", "speech", "speech", records, "--ignore-keys", "id,speaker", target_modules=["q_proj", "v_proj"])

    def test_the_command_itself_trains(self):
        base = self.base("bert", "sequence")
        self.adapter(base, "sequence", target_modules=["query"])
        done = subprocess.run(
            [sys.executable, COMMAND, "--threads", "1", "--model", base, *CLASSES, self.folder / "IN", self.folder / "OUT"],
            env={**os.environ, "RANKWISE_DATA": str(self.data("data.tsv", SEQUENCE))}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.read("metrics.json")["samples"], 8)

    def test_a_batch_of_labels_counts_first_pieces(self):
        base = self.base("roberta", "token")
        arguments = types.SimpleNamespace(
            task="token", model=base, dtype="float32", gguf_file=None, labels=["O", "B"], load_in_4bit=False,
            gradient_checkpointing=False)
        loaded = train_peft.load_base(arguments, False, 0)
        found = [train_peft.Example("here", "tokens", ["the", "dog", "cat"], [0, 1, 0])]
        batch, = train_peft.Batches(loaded, found, "token", 40, 4, "cpu")([0])
        pieces = loaded.tokenizer.convert_ids_to_tokens(batch["input_ids"][0])
        labels = batch["labels"][0].tolist()
        self.assertEqual([piece for piece, label in zip(pieces, labels) if label != -100], ["Ġthe", "Ġ", "Ġcat"])
        self.assertEqual([label for label in labels if label != -100], [0, 1, 0])
