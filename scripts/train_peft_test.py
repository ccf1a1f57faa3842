#!/usr/bin/env python3
"""Tests scripts/train_peft.py on tiny random models, without a network.

    python3 scripts/train_peft_test.py [-v] [-k PATTERN]

Every test makes a folder IN with PEFT, runs the command in a separate process and checks the folder OUT. Needs torch,
peft, transformers and safetensors; tests that need bitsandbytes are skipped without it.
"""

import pathlib
import sys
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parent
TESTS = SCRIPTS / "train_peft_tests"

if __name__ == "__main__":
    sys.path[:0] = [str(SCRIPTS), str(TESTS)]
    unittest.main(module=None, argv=[sys.argv[0], "discover", "-s", str(TESTS), *sys.argv[1:]], warnings="ignore")
