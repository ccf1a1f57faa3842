#!/usr/bin/env python3
"""Makes the files beside it: a small convolutional net in PyTorch, its adapter by PEFT, images and their logits."""
import os

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import nn

FOLDER = os.path.dirname(os.path.abspath(__file__))


class Net(nn.Module):
    """cnn-8x6x2-4k3-5k3-7-3"""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 5, 3, padding=1)
        self.fc1 = nn.Linear(5 * 2 * 1, 7)
        self.fc2 = nn.Linear(7, 3)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x))).flatten(1)
        return self.fc2(torch.relu(self.fc1(x)))


torch.manual_seed(3)
net = Net()
save_file({name: value.clone() for name, value in net.state_dict().items()}, os.path.join(FOLDER, "base.safetensors"))
model = get_peft_model(net, LoraConfig(r=2, lora_alpha=3, target_modules=["conv1", "conv2", "fc1", "fc2"]))
for name, parameter in model.named_parameters():
    if "lora_" in name:
        parameter.data.uniform_(-0.5, 0.5)
images = torch.randn(6, 2, 8, 6)
model.eval()
with torch.no_grad():
    logits = model(images)
adapter = {name.replace(".default", ""): value.clone() for name, value in model.state_dict().items() if "lora_" in name}
save_file(adapter, os.path.join(FOLDER, "adapter_model.safetensors"))
save_file({"images": images.flatten(1).contiguous(), "logits": logits}, os.path.join(FOLDER, "expected.safetensors"))
