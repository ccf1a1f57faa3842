#!/usr/bin/env python3
"""RBLA as a streaming sum in PyTorch: what `rankwise-lab bench aggregate --reference torch` measures itself against.

Reads one line of JSON (files, samples, rank, threads, out), answers with its versions, then runs once for each further
line and answers with its times. It maps the clients' files, adds module by module into a preallocated sum in place, and
writes one safetensors file.
"""
import json
import sys
import time

import safetensors
import torch
from safetensors import safe_open
from safetensors.torch import save_file


def aggregate(job):
    started, processor = time.perf_counter(), time.process_time()
    files = [safe_open(path, framework="pt") for path in job["files"]]
    names = sorted(name for name in files[0].keys() if name.endswith(".lora_A.weight"))
    result = {}
    for name in names:
        partner = name.replace(".lora_A.", ".lora_B.")
        sum_a = sum_b = None
        reaching = torch.zeros(job["rank"], dtype=torch.float64)
        for file, samples in zip(files, job["samples"]):
            a, b = file.get_tensor(name), file.get_tensor(partner)
            if sum_a is None:
                sum_a = torch.zeros(job["rank"], a.shape[1])
                sum_b = torch.zeros(b.shape[0], job["rank"])
            rank = a.shape[0]
            reaching[:rank] += samples
            sum_a[:rank].add_(a, alpha=samples)
            sum_b[:, :rank].add_(b, alpha=samples)
        scale = (1 / reaching).float()
        result[name] = sum_a.mul_(scale[:, None]).to(a.dtype)
        result[partner] = sum_b.mul_(scale).to(b.dtype)
    summed = time.perf_counter()
    save_file(result, job["out"], metadata={"format": "pt"})
    return {"total": time.perf_counter() - started, "sum": summed - started,
            "processor": time.process_time() - processor}


def main():
    job = json.loads(sys.stdin.readline())
    torch.set_num_threads(job["threads"])
    print(json.dumps({"versions": f"torch {torch.__version__}, safetensors {safetensors.__version__}"}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(aggregate(job)), flush=True)


main()
