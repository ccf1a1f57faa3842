#!/usr/bin/env python3
"""Converts adapters of other programs with `rankwise-lab convert`, and compares PEFT's result with that of the programs.

    python3 scripts/check_convert.py .build/release/rankwise-lab

Each case writes a file as its program would and converts it. PEFT loads the folder and merges it into a base model.
Every weight is compared with base + scale * up @ down, or with the program's own result. Needs torch, peft and
safetensors. If diffusers (with transformers) is installed, it loads the kohya and diffusers files too, into its own
small UNet. If mlx and mlx_lm are installed, MLX's own layers compute the reference. The script names the cases whose
program is missing.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

torch.manual_seed(7)
failures = []


def drawn(*shape, dtype=torch.float32):
    return (torch.randn(*shape) * 0.3).to(dtype)


def tree(modules):
    """A module that has these modules under their paths."""
    root = torch.nn.Module()
    for path, module in modules.items():
        *parents, name = path.split(".")
        at = root
        for parent in parents:
            if not hasattr(at, parent):
                at.add_module(parent, torch.nn.Module())
            at = getattr(at, parent)
        at.add_module(name, module)
    return root


def merged(base, folder):
    """The base's weights after PEFT has merged the adapter in."""
    import copy
    import warnings

    with warnings.catch_warnings():
        # PEFT only warns of tensors that find no place.
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*config.*")
        warnings.filterwarnings("ignore", message=".*PretrainedConfig.*")
        model = PeftModel.from_pretrained(copy.deepcopy(base), str(folder))
    return {name: value.detach().double() for name, value in model.merge_and_unload().state_dict().items()}


class Lab:
    def __init__(self, program, folder):
        self.program, self.folder, self.count = program, folder, 0

    def new(self, name):
        self.count += 1
        path = self.folder / f"{self.count}-{name}"
        path.mkdir()
        return path

    def convert(self, source, *options):
        out = pathlib.Path(str(source) + ".out")
        result = subprocess.run([self.program, "convert", source, out, *options], capture_output=True, text=True)
        if result.returncode:
            raise SystemExit(f"convert {source}: {result.stderr}")
        return out, result.stdout.strip()


def report(case, line, base, got, expected, tolerance=1e-5):
    worst = 0.0
    for name, value in expected.items():
        worst = max(worst, (got[name] - value.double()).abs().max().item())
    changed = sum(1 for name in expected if (expected[name].double() - base[name].double()).abs().max() > 1e-3)
    sound = worst <= tolerance and changed > 0 and set(got) >= set(expected)
    print(f"{'ok  ' if sound else 'FAIL'} {case}: {changed} weights, at most {worst:.1e} apart   [{line}]")
    if not sound:
        failures.append(case)


def unet_modules():
    block = "down_blocks.0.attentions.0.transformer_blocks.0"
    return {
        f"{block}.attn1.to_q": torch.nn.Linear(12, 12, bias=False),
        f"{block}.attn2.to_k": torch.nn.Linear(8, 12, bias=False),
        f"{block}.attn1.to_out.0": torch.nn.Linear(12, 12),
        f"{block}.ff.net.0.proj": torch.nn.Linear(12, 20),
        f"{block}.ff.net.2": torch.nn.Linear(10, 12),
        "down_blocks.0.attentions.0.proj_in": torch.nn.Conv2d(12, 12, 1),
        "down_blocks.0.resnets.1.conv1": torch.nn.Conv2d(6, 12, 3, padding=1),
        "down_blocks.0.resnets.1.time_emb_proj": torch.nn.Linear(5, 12),
        "mid_block.resnets.0.conv_shortcut": torch.nn.Conv2d(6, 12, 1),
        "up_blocks.1.upsamplers.0.conv": torch.nn.Conv2d(12, 12, 3, padding=1),
        "time_embedding.linear_1": torch.nn.Linear(5, 7),
    }


def clip_modules():
    layer = "text_model.encoder.layers.3"
    return {
        f"{layer}.self_attn.q_proj": torch.nn.Linear(6, 6), f"{layer}.self_attn.out_proj": torch.nn.Linear(6, 6),
        f"{layer}.mlp.fc1": torch.nn.Linear(6, 9), f"{layer}.mlp.fc2": torch.nn.Linear(9, 6),
    }


def factors(module, rank, dtype=torch.float32):
    """down and up as kohya has them for a module."""
    weight = module.weight
    if weight.dim() == 4:
        return drawn(rank, *weight.shape[1:], dtype=dtype), drawn(weight.shape[0], rank, 1, 1, dtype=dtype)
    return drawn(rank, weight.shape[1], dtype=dtype), drawn(weight.shape[0], rank, dtype=dtype)


def product(down, up, scale, weight):
    delta = up.double().flatten(1) @ down.double().flatten(1)
    return weight.double() + scale * delta.reshape(weight.shape)


def kohya(lab):
    for dtype, tolerance in [(torch.float32, 1e-5), (torch.float16, 2e-3), (torch.bfloat16, 2e-2)]:
        modules = unet_modules()
        base = tree(modules)
        tensors, expected = {}, {}
        for number, (path, module) in enumerate(modules.items()):
            rank = [4, 4, 2, 6][number % 4]
            down, up = factors(module, rank, dtype)
            key = "lora_unet_" + path.replace(".", "_")
            tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
            alpha = [None, 2.0, 0.5][number % 3]
            if alpha is not None:
                tensors[f"{key}.alpha"] = torch.tensor(alpha, dtype=dtype)
            expected[f"{path}.weight"] = product(down, up, (alpha or rank) / rank, module.weight)
        file = lab.new("kohya") / "lora.safetensors"
        save_file(tensors, file)
        out, line = lab.convert(file)
        types = {value.dtype for value in load_file(out / "adapter_model.safetensors").values()}
        if types != {dtype}:
            failures.append(f"kohya's types {types}")
        report(f"kohya, {dtype}", line, base.state_dict(), merged(base, out), expected, tolerance)


def kohya_parts(lab):
    parts = {"unet": ("lora_unet_", unet_modules()), "text_encoder": ("lora_te1_", clip_modules()),
             "text_encoder_2": ("lora_te2_", clip_modules())}
    tensors, expected = {}, {}
    for part, (prefix, modules) in parts.items():
        expected[part] = {}
        for path, module in modules.items():
            down, up = factors(module, 3)
            key = prefix + path.replace(".", "_")
            tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up,
                        f"{key}.alpha": torch.tensor(1.5)}
            expected[part][f"{path}.weight"] = product(down, up, 0.5, module.weight)
    file = lab.new("parts") / "lora.safetensors"
    save_file(tensors, file)
    out, line = lab.convert(file)
    for part, (_, modules) in parts.items():
        base = tree(modules)
        report(f"kohya's {part}", line, base.state_dict(), merged(base, out / part), expected[part])


def kohya_dora(lab):
    """LyCORIS's wd_on_output: every output's row has the norm that dora_scale says."""
    modules = {path: module for path, module in unet_modules().items()}
    base = tree(modules)
    tensors, expected = {}, {}
    for path, module in modules.items():
        down, up = factors(module, 4)
        magnitude = torch.rand(module.weight.shape[0]) + 0.5
        key = "lora_unet_" + path.replace(".", "_")
        tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up, f"{key}.alpha": torch.tensor(2.0),
                    f"{key}.dora_scale": magnitude.reshape([-1] + [1] * (module.weight.dim() - 1))}
        whole = product(down, up, 0.5, module.weight)
        norm = whole.flatten(1).norm(dim=1)
        sides = [-1] + [1] * (module.weight.dim() - 1)
        expected[f"{path}.weight"] = whole * (magnitude.double() / norm).reshape(sides)
    file = lab.new("dora") / "lora.safetensors"
    save_file(tensors, file)
    out, line = lab.convert(file)
    report("kohya with DoRA", line, base.state_dict(), merged(base, out), expected)


def diffusers_names(lab):
    modules = unet_modules()
    base = tree(modules)
    tensors, expected = {}, {}
    for path, module in modules.items():
        down, up = factors(module, 4)
        scale = 1.0
        if ".to_" in path:
            head, _, last = path.replace(".to_out.0", ".to_out").rpartition(".")
            key = f"unet.{head}.processor.{last}_lora"
        else:
            key = f"unet.{path}.lora"
            tensors[f"unet.{path}.alpha"] = torch.tensor(6.0)
            scale = 1.5
        tensors |= {f"{key}.down.weight": down, f"{key}.up.weight": up}
        expected[f"{path}.weight"] = product(down, up, scale, module.weight)
    clip, expected_clip = clip_modules(), {}
    for path, module in clip.items():
        down, up = factors(module, 2)
        key = f"text_encoder.{path}.lora_linear_layer"
        tensors |= {f"{key}.down.weight": down, f"{key}.up.weight": up}
        expected_clip[f"{path}.weight"] = product(down, up, 1, module.weight)
    file = lab.new("diffusers") / "pytorch_lora_weights.safetensors"
    save_file(tensors, file)
    out, line = lab.convert(file)
    report("diffusers' old names, unet", line, base.state_dict(), merged(base, out / "unet"), expected)
    base = tree(clip)
    report("diffusers' old names, text encoder", line, base.state_dict(), merged(base, out / "text_encoder"),
           expected_clip)


def diffusers_metadata(lab):
    modules = unet_modules()
    base = tree(modules)
    tensors, expected = {}, {}
    for path, module in modules.items():
        down, up = factors(module, 4)
        tensors |= {f"unet.{path}.lora_A.weight": down, f"unet.{path}.lora_B.weight": up}
        expected[f"{path}.weight"] = product(down, up, 12 / 4**0.5, module.weight)
    metadata = {"unet.r": 4, "unet.lora_alpha": 12, "unet.use_rslora": True, "unet.target_modules": sorted(modules),
                "unet.peft_type": "LORA"}
    file = lab.new("metadata") / "pytorch_lora_weights.safetensors"
    save_file(tensors, file, metadata={"format": "pt", "lora_adapter_metadata": json.dumps(metadata)})
    out, line = lab.convert(file)
    report("diffusers' names of today, with metadata", line, base.state_dict(), merged(base, out), expected)


class Words(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(11, 6)
        self.fc1, self.fc2 = torch.nn.Linear(6, 8), torch.nn.Linear(8, 6)
        self.head = torch.nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.fc2(torch.relu(self.fc1(self.embed(x)))))


def memory(lab):
    """PEFT's own state_dict, compared with the model that it is of."""
    import copy

    for name, options in {
        "plain": dict(target_modules=["fc1", "fc2"], rank_pattern={"fc1": 2}, alpha_pattern={"fc2": 3.0}),
        "with an embedding and a head": dict(target_modules=["fc1", "embed"], modules_to_save=["head"], use_rslora=True),
        "with DoRA": dict(target_modules=["fc1", "fc2"], use_dora=True),
        "with biases of B": dict(target_modules=["fc1", "fc2"], lora_bias=True),
    }.items():
        base = Words()
        model = get_peft_model(copy.deepcopy(base), LoraConfig(r=4, lora_alpha=6, **options))
        for key, value in model.named_parameters():
            if "lora_" in key or "modules_to_save" in key:
                value.data = drawn(*value.shape).abs() + 0.1 if "magnitude" in key else drawn(*value.shape)
        folder = lab.new("memory")
        tensors = {key: value.contiguous() for key, value in model.state_dict().items()
                   if "lora_" in key or "modules_to_save" in key}
        save_file(tensors, folder / "adapter_model.safetensors")
        config = model.peft_config["default"].to_dict()
        config["target_modules"] = sorted(config["target_modules"])
        (folder / "adapter_config.json").write_text(json.dumps(config))
        out, line = lab.convert(folder)
        expected = {key: value.detach() for key, value in model.merge_and_unload().state_dict().items()}
        report(f"PEFT in memory, {name}", line, base.state_dict(), merged(base, out), expected)


def mlx_lm(lab):
    try:
        import mlx.core as mx
        import mlx.nn as nn
        import numpy
        from mlx_lm.tuner.dora import DoRALinear
        from mlx_lm.tuner.lora import LoRAEmbedding, LoRALinear
    except ImportError as error:
        print(f"skip MLX: {error}")
        return
    torched = lambda value: torch.from_numpy(numpy.array(value.astype(mx.float32)))
    for kind in ["lora", "dora"]:
        layers = {"model.layers.1.self_attn.q_proj": nn.Linear(12, 10, bias=False),
                  "model.layers.1.mlp.down_proj": nn.Linear(9, 12, bias=True)}
        if kind == "lora":
            layers["model.embed_tokens"] = nn.Embedding(13, 12)
        modules, tensors, expected = {}, {}, {}
        for path, layer in layers.items():
            own = torch.nn.Embedding(*layer.weight.shape) if isinstance(layer, nn.Embedding) else torch.nn.Linear(
                layer.weight.shape[1], layer.weight.shape[0], bias="bias" in layer)
            own.weight.data = torched(layer.weight)
            modules[path] = own
            make = LoRAEmbedding if isinstance(layer, nn.Embedding) else DoRALinear if kind == "dora" else LoRALinear
            adapted = make.from_base(layer, r=4, scale=2.5, dropout=0.0)
            adapted.lora_b = mx.random.normal(adapted.lora_b.shape) * 0.3
            if kind == "dora":
                adapted.m = adapted.m * mx.random.uniform(0.5, 1.5, adapted.m.shape)
                tensors[f"{path}.m"] = adapted.m
            tensors |= {f"{path}.lora_a": adapted.lora_a, f"{path}.lora_b": adapted.lora_b}
            # What MLX computes, and not what it says it does: from rows of the identity through the layer.
            if isinstance(layer, nn.Embedding):
                expected[f"{path}.weight"] = torched(adapted(mx.arange(13)))
            else:
                zero = adapted(mx.zeros((1, layer.weight.shape[1])))
                expected[f"{path}.weight"] = torched((adapted(mx.eye(layer.weight.shape[1])) - zero).T)
        folder = lab.new("mlx")
        mx.save_safetensors(str(folder / "adapters.safetensors"), tensors)
        (folder / "adapter_config.json").write_text(json.dumps({
            "fine_tune_type": kind, "num_layers": 4, "model": "somewhere",
            "lora_parameters": {"rank": 4, "alpha": 16, "scale": 2.5, "dropout": 0.05, "keys": ["q_proj"]}}))
        out, line = lab.convert(folder)
        base = tree(modules)
        report(f"MLX, {kind}", line, base.state_dict(), merged(base, out), expected, 1e-4)


def loralib(lab):
    modules = {"blocks.0.attn.q_proj": torch.nn.Linear(6, 5), "blocks.0.mlp.w1": torch.nn.Linear(5, 7)}
    for names in [(".lora_A", ".lora_B"), (".lora_a.weight", ".lora_b.weight")]:
        base = tree(modules)
        tensors, expected = {}, {}
        for path, module in modules.items():
            down, up = factors(module, 3)
            tensors |= {path + names[0]: down, path + names[1]: up}
            expected[f"{path}.weight"] = product(down, up, 2, module.weight)
        file = lab.new("loralib") / "lora.safetensors"
        save_file(tensors, file)
        out, line = lab.convert(file, "--alpha", "6")
        report(f"loralib or torchtune ({names[0]})", line, base.state_dict(), merged(base, out), expected)


def latent_names(unet):
    """The modules of a UNet of diffusers, by the names that Stable Diffusion's own code has for them."""
    residual = {"conv1": "in_layers_2", "time_emb_proj": "emb_layers_1", "conv2": "out_layers_3",
                "conv_shortcut": "skip_connection"}
    places, number = {"conv_in": "input_blocks_0_0", "conv_out": "out_2", "time_embedding.linear_1": "time_embed_0",
                      "time_embedding.linear_2": "time_embed_2"}, 1
    for level, block in enumerate(unet.down_blocks):
        for index in range(len(block.resnets)):
            places[f"down_blocks.{level}.resnets.{index}"] = f"input_blocks_{number}_0"
            places[f"down_blocks.{level}.attentions.{index}"] = f"input_blocks_{number}_1"
            number += 1
        if block.downsamplers:
            places[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks_{number}_0_op"
            number += 1
    for index, name in enumerate(["resnets.0", "attentions.0", "resnets.1"]):
        places[f"mid_block.{name}"] = f"middle_block_{index}"
    number = 0
    for level, block in enumerate(unet.up_blocks):
        attends = hasattr(block, "attentions")
        for index in range(len(block.resnets)):
            places[f"up_blocks.{level}.resnets.{index}"] = f"output_blocks_{number}_0"
            places[f"up_blocks.{level}.attentions.{index}"] = f"output_blocks_{number}_1"
            if index == len(block.resnets) - 1 and block.upsamplers:
                places[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks_{number}_{2 if attends else 1}_conv"
            number += 1

    def name(path):
        if path in places:
            return places[path]
        head = next(place for place in places if path.startswith(place + "."))
        rest = path[len(head) + 1:]
        return f"{places[head]}_{residual[rest] if 'resnets' in head else rest.replace('.', '_')}"

    return name


def diffusers_loads(lab):
    """diffusers' own loader on the same file: kohya's names, with diffusers' paths and with Stable Diffusion's."""
    try:
        import copy

        from diffusers import UNet2DConditionModel
        from diffusers.loaders.lora_pipeline import StableDiffusionXLLoraLoaderMixin
    except ImportError as error:
        print(f"skip diffusers' loader: {error}")
        return
    unet = UNet2DConditionModel(
        block_out_channels=(16, 32, 32), layers_per_block=2, sample_size=8, norm_num_groups=8, attention_head_dim=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), cross_attention_dim=12,
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), use_linear_projection=True)
    modules = {path: module for path, module in unet.named_modules()
               if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))}
    for case, name, chosen in [
        ("diffusers' paths", lambda path: path.replace(".", "_"), modules),
        ("Stable Diffusion's paths", latent_names(unet), modules),
    ]:
        tensors, expected, seen = {}, {}, {}
        for number, (path, module) in enumerate(chosen.items()):
            rank = [4, 2][number % 2]
            down, up = factors(module, rank)
            key = "lora_unet_" + name(path)
            some = {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up, f"{key}.alpha": torch.tensor(3.0)}
            tensors |= some
            # diffusers' loader has no names for what stands outside the blocks.
            if "blocks" in path or "mid_block" in path:
                seen |= some
            expected[f"{path}.weight"] = product(down, up, 3 / rank, module.weight)
        file = lab.new("diffusers-loads") / "lora.safetensors"
        save_file(tensors, file)
        out, line = lab.convert(file)
        base = unet.state_dict()
        report(f"kohya on a whole UNet by {case}", line, base, merged(unet, out), expected)
        listed = file.parent / "names.txt"
        listed.write_text("\n".join(base))
        named, line = lab.convert(file, "--modules", listed)
        report(f"the same with --modules, by {case}", line, base, merged(unet, named), expected)
        theirs = copy.deepcopy(unet)
        state, alphas = StableDiffusionXLLoraLoaderMixin.lora_state_dict(dict(seen), unet_config=unet.config)
        theirs.load_lora_adapter(state, network_alphas=alphas, prefix="unet")
        theirs.fuse_lora()
        fused = {key.replace(".base_layer", ""): value.detach().double() for key, value in theirs.state_dict().items()
                 if ".lora_" not in key}
        parts = {key: value for key, value in expected.items() if "blocks" in key or "mid_block" in key}
        report(f"what diffusers makes of it, by {case}", "diffusers' loader", base, fused, parts, 1e-4)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("lab", type=pathlib.Path, help="the program rankwise-lab")
    lab = arguments.parse_args().lab
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(lab.resolve(), pathlib.Path(folder))
        for case in [kohya, kohya_parts, kohya_dora, diffusers_names, diffusers_metadata, memory, mlx_lm, loralib,
                     diffusers_loads]:
            case(lab)
    if failures:
        sys.exit("differs: " + ", ".join(failures))


if __name__ == "__main__":
    main()
