#!/usr/bin/env python3
"""Draws texts of a few newsgroups for a federation: one file for each client, and one for the held-out texts.

    python3 scripts/split_newsgroups.py DATA OUT --groups G,G,… --clients N --train N --test N --seed N

DATA is the output of `scripts/data newsgroups`. OUT gets client-0.tsv, client-1.tsv, … and heldout.tsv. Each line is a
class from 0 (a group's position in --groups), a tab and a text. Each file has the same number of texts of each group.
"""

import argparse
import pathlib
import random


def texts(path, group):
    with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
        rows = (line.rstrip("\r\n").split("\t", 1) for line in file)
        return [row[1] for row in rows if len(row) == 2 and row[0] == group and row[1].strip()]


def write(path, examples, generator):
    generator.shuffle(examples)
    path.write_text("".join(f"{label}\t{text}\n" for label, text in examples), encoding="utf-8")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=pathlib.Path)
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("--groups", type=lambda text: text.split(","), required=True)
    arguments.add_argument("--clients", type=int, default=4)
    arguments.add_argument("--train", type=int, default=480, help="texts of all clients together")
    arguments.add_argument("--test", type=int, default=400)
    arguments.add_argument("--seed", type=int, default=1)
    arguments = arguments.parse_args()
    generator = random.Random(arguments.seed)
    each = arguments.train // (arguments.clients * len(arguments.groups))
    clients = [[] for _ in range(arguments.clients)]
    heldout = []
    for label, group in enumerate(arguments.groups):
        own = texts(arguments.data / "train.tsv", group)
        unseen = texts(arguments.data / "test.tsv", group)
        generator.shuffle(own)
        generator.shuffle(unseen)
        wanted = arguments.test // len(arguments.groups)
        if len(own) < each * arguments.clients or len(unseen) < wanted:
            raise SystemExit(f"{group} has {len(own)} texts to train on and {len(unseen)} to test with")
        for place, client in enumerate(clients):
            client.extend((label, text) for text in own[place * each:(place + 1) * each])
        heldout.extend((label, text) for text in unseen[:wanted])
    arguments.out.mkdir(parents=True, exist_ok=True)
    for place, client in enumerate(clients):
        write(arguments.out / f"client-{place}.tsv", client, generator)
    write(arguments.out / "heldout.tsv", heldout, generator)


main()
