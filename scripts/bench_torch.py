#!/usr/bin/env python3
"""RBLA as a streaming sum in PyTorch: the reference of `rankwise-lab bench aggregate --reference torch`.

Reads one line of JSON (files, samples, rank, threads, out, by) and answers with its versions. Then it runs once for
each further line and answers with its times. By module, it maps the clients' files and adds one module after the other
in place into a preallocated sum. By client, it loads one client's file after the other into preallocated sums of all
modules, like a server that gets them one by one. Both write one safetensors file.
"""
import json
import sys
import time

import safetensors
import torch
from safetensors import safe_open
from safetensors.torch import load, save_file


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


def aggregate_by_client(job):
    started, processor = time.perf_counter(), time.process_time()
    sums, reaching, summing = {}, {}, 0.0
    for path, samples in zip(job["files"], job["samples"]):
        with open(path, "rb") as file:
            tensors = load(file.read())
        loaded = time.perf_counter()
        for name, a in tensors.items():
            if not name.endswith(".lora_A.weight"):
                continue
            partner = name.replace(".lora_A.", ".lora_B.")
            b = tensors[partner]
            if name not in sums:
                sums[name] = torch.zeros(job["rank"], a.shape[1])
                sums[partner] = torch.zeros(b.shape[0], job["rank"])
                reaching[name] = torch.zeros(job["rank"], dtype=torch.float64)
            rank = a.shape[0]
            reaching[name][:rank] += samples
            sums[name][:rank].add_(a, alpha=samples)
            sums[partner][:, :rank].add_(b, alpha=samples)
        summing += time.perf_counter() - loaded
    loaded = time.perf_counter()
    for name, total in reaching.items():
        scale = (1 / total).float()
        sums[name].mul_(scale[:, None])
        sums[name.replace(".lora_A.", ".lora_B.")].mul_(scale)
    summing += time.perf_counter() - loaded
    save_file(sums, job["out"], metadata={"format": "pt"})
    return {"total": time.perf_counter() - started, "sum": summing, "processor": time.process_time() - processor}


def main():
    job = json.loads(sys.stdin.readline())
    torch.set_num_threads(job["threads"])
    print(json.dumps({"versions": f"torch {torch.__version__}, safetensors {safetensors.__version__}"}), flush=True)
    run = aggregate_by_client if job["by"] == "client" else aggregate
    for _ in sys.stdin:
        print(json.dumps(run(job)), flush=True)


main()
