import math

import train_peft
from folders import CAUSAL, CLASSES, SEQUENCE, TrainerTest


class EvaluationTest(TrainerTest):
    """Examples that are held out are scored, and never trained on."""

    def test_the_split_stays_when_examples_are_added(self):
        plan = {"holdout": 0.2, "federation_seed": 2**64 - 1}
        kept, held = train_peft.split(1000, plan)
        self.assertEqual(len(held), 200)
        self.assertEqual(sorted(kept + held), list(range(1000)))
        for count in (10, 99, 500):
            self.assertEqual(train_peft.split(count, plan)[1], [place for place in held if place < count])
        self.assertNotEqual(train_peft.split(1000, {**plan, "federation_seed": 5})[1], held)

    def test_nothing_is_held_out_where_nothing_would_remain(self):
        for seed in range(20):
            self.assertEqual(train_peft.split(1, {"holdout": 0.5, "federation_seed": seed}), ([0], []))
        self.assertEqual(train_peft.split(3, {"holdout": None}), ([0, 1, 2], []))

    def test_held_out_examples_are_not_trained_on(self):
        model, plan = self.base("bert", "sequence"), {"holdout": 0.25}
        self.adapter(model, "sequence", target_modules=["query"], plan=plan)
        self.train(model, self.data("right.tsv", SEQUENCE), *CLASSES)
        self.assertEqual(self.read("metrics.json")["samples"], 6)
        right = self.sent()
        held = train_peft.split(len(SEQUENCE), self.read("plan.json", "IN"))[1]
        wrong = [line if place not in held else "other\tno such words" for place, line in enumerate(SEQUENCE)]
        self.train(model, self.data("wrong.tsv", wrong), *CLASSES)
        for name, tensor in self.sent().items():
            self.assertTrue(tensor.equal(right[name]), name)

    def test_the_task_evaluate_leaves_metrics_alone(self):
        for kind, task, lines, options, target in (
            ("bert", "sequence", SEQUENCE, CLASSES, "query"), ("llama", "causal", CAUSAL, [], "q_proj"),
        ):
            model = self.base(kind, "sequence" if task == "sequence" else "causal")
            self.adapter(model, task, target_modules=[target], plan={"holdout": 0.25, "task": "evaluate"})
            for file in (self.folder / "OUT").iterdir():
                file.unlink()
            self.assertEqual(self.run_command(model, self.data("data.tsv", lines), *options).code, 0)
            self.assertEqual([file.name for file in (self.folder / "OUT").iterdir()], ["metrics.json"])
            metrics = self.read("metrics.json")
            self.assertEqual(metrics["samples"], 2)
            self.assertEqual("perplexity" in metrics, task == "causal")
            if task == "causal":
                self.assertAlmostEqual(metrics["perplexity"], math.exp(metrics["loss"]))

    def test_too_few_examples_are_said_to_be_none(self):
        model = self.base("bert", "sequence")
        self.adapter(model, "sequence", target_modules=["query"], plan={"holdout": 0.25, "task": "evaluate"})
        self.assertEqual(self.run_command(model, self.data("one.tsv", SEQUENCE[:1]), *CLASSES).code, 0)
        self.assertEqual(self.read("metrics.json"), {"samples": 0})

    def test_another_task_is_refused(self):
        model = self.base("bert", "sequence")
        self.adapter(model, "sequence", target_modules=["query"], plan={"task": "distil"})
        self.refused(self.run_command(model, self.data("data.tsv", SEQUENCE), *CLASSES), "distil")
