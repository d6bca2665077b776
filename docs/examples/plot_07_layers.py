"""
Layers and bits of a convolutional network
==========================================

What a network of torch becomes: for each layer, how many tables it takes, how many bits the
sums in front of them have, and how many of these the tables read after rounding.
"""

# %%
# A small network on images of digits.
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from fhe_estimators.inspection import BitWidthDisplay, CostDisplay
from fhe_estimators.torch import compile_torch_model

images, labels = load_digits(return_X_y=True)
images = (images.reshape(-1, 1, 8, 8) / 16).astype(np.float32)
torch.manual_seed(0)
net = nn.Sequential(
    nn.Conv2d(1, 4, 3, stride=2),
    nn.ReLU(),
    nn.Conv2d(4, 6, 2),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(24, 10),
)
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
inputs, targets = torch.tensor(images), torch.tensor(labels)
for _ in range(60):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(inputs), targets).backward()
    optimizer.step()

# %%
# `rounding_bits="auto"`, the default, finds how few bits each table may read.
module = compile_torch_model(net, images[:300], n_bits=5)
print(module.layers)
labels_of_integers = module.forward(images).argmax(axis=1)
labels_of_floats = net(inputs).argmax(dim=1).numpy()
print("the same labels:", np.mean(labels_of_integers == labels_of_floats).round(3))

# %%
# What lies between operands and kept bits is rounded away in front of the tables. Below,
# what each layer costs.
fig, axes = plt.subplots(2, 1, figsize=(7, 6), layout="constrained")
BitWidthDisplay.from_estimator(module, ax=axes[0])
CostDisplay.from_estimator(module, ax=axes[1])
plt.show()
