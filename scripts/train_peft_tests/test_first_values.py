import torch

from folders import CLASSES, SEQUENCE, TOKEN, TrainerTest


class FirstValuesTest(TrainerTest):
    """What version 0 lacks is the same on all clients."""

    def heads(self, kind, task, labels, lines, **config):
        base, heads = self.base(kind), []
        data = self.data("data.jsonl" if task == "token" else "data.tsv", lines)
        for seed, federation, more in ((1, 7, []), (2, 7, []), (2, 7, ["--dtype", "bfloat16"]), (2, 8, [])):
            self.adapter(base, task, drop=config["modules_to_save"], plan={
                "seed": seed, "federation_seed": federation, "training": {"learning_rate": 0}}, **config)
            self.train(base, data, "--task", task, "--labels", labels, *more)
            heads.append({name: tensor for name, tensor in self.sent().items() if name not in self.given()})
        self.assertTrue(heads[0])
        for name, tensor in heads[0].items():
            self.assertTrue(torch.equal(tensor, heads[1][name]), name)
            self.assertTrue(torch.equal(tensor, heads[2][name]), name)
            if name.endswith("weight"):
                self.assertGreater(tensor.std(), 0.01)
                self.assertFalse(torch.equal(tensor, heads[3][name]), name)

    def test_a_head_of_one_layer(self):
        self.heads("bert", "sequence", "colour,other", SEQUENCE, target_modules=["query"], modules_to_save=["classifier"])

    def test_a_head_of_several_layers(self):
        self.heads("roberta", "sequence", "colour,other", SEQUENCE, target_modules=["query"], modules_to_save=["classifier"])

    def test_a_head_without_a_bias(self):
        self.heads("llama", "sequence", "colour,other", SEQUENCE, target_modules=["q_proj"], modules_to_save=["score"])

    def test_a_head_for_tokens(self):
        self.heads("bert", "token", "O,B", TOKEN, target_modules=["query"], modules_to_save=["classifier"])

    def test_seeds_that_older_servers_do_not_send(self):
        base, data = self.base("bert"), self.data("data.tsv", SEQUENCE)
        heads = []
        for seed in (0, None):
            self.adapter(base, "sequence", target_modules=["query"], modules_to_save=["classifier"],
                         drop=["classifier"], plan={"federation_seed": seed, "training": {"learning_rate": 0}})
            self.train(base, data, *CLASSES)
            heads.append(self.sent()["base_model.model.classifier.weight"])
        self.assertTrue(torch.equal(*heads))

    def test_the_clients_own_seed_draws_the_order(self):
        base, data = self.base("bert", "sequence"), self.data("data.tsv", SEQUENCE)
        sent = []
        for seed in (1, 1, 2):
            self.adapter(base, "sequence", target_modules=["query"], plan={"seed": seed})
            self.train(base, data, *CLASSES)
            sent.append(next(iter(self.sent().values())))
        self.assertTrue(torch.equal(sent[0], sent[1]))
        self.assertFalse(torch.equal(sent[0], sent[2]))
