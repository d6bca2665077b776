"""Blocks of small published architectures, rebuilt."""

import torch
import torch.nn.functional as F
from torch import nn


class Wired(nn.Module):
    """Modules, and a function of them and of the input."""

    def __init__(self, forward, *modules):
        super().__init__()
        self.parts = nn.ModuleList(modules)
        self.function = forward

    def forward(self, x):
        return self.function(self.parts, x)


class Residual(nn.Module):
    """The basic block of ResNet (He et al., 2015)."""

    def __init__(self, channels, bottleneck=False):
        super().__init__()
        inner = channels // 2 if bottleneck else channels
        ends = 1 if bottleneck else 3
        self.body = nn.Sequential(
            nn.Conv2d(channels, inner, ends, padding=ends // 2),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, channels, ends, padding=ends // 2),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x):
        return torch.relu(x + self.body(x))


class Excited(nn.Module):
    """Squeeze and excitation (Hu et al., 2018)."""

    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Linear(channels, 2), nn.Linear(2, channels)

    def forward(self, x):
        scale = torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3))))))
        return x * scale[:, :, None, None]


class Inverted(nn.Module):
    """The inverted residual of MobileNetV2 (Sandler et al., 2018)."""

    def __init__(self, channels, wide):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, wide, 1),
            nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide),
            nn.ReLU6(),
            nn.Conv2d(wide, channels, 1),
        )

    def forward(self, x):
        return x + self.body(x)


class Fire(nn.Module):
    """The module of SqueezeNet (Iandola et al., 2016)."""

    def __init__(self, channels):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, 1, 1)
        self.one, self.three = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.squeeze(x))
        return torch.relu(torch.cat([self.one(x), self.three(x)], 1))


class Dense(nn.Module):
    """A layer of DenseNet (Huang et al., 2017)."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.grow = nn.Conv2d(channels, 2, 3, padding=1)

    def forward(self, x):
        return torch.cat([x, self.grow(torch.relu(self.norm(x)))], 1)


class Causal(nn.Module):
    """A block of a temporal convolutional network (Bai et al., 2018)."""

    def __init__(self, channels, dilation):
        super().__init__()
        self.first = nn.Conv1d(channels, channels, 2, dilation=dilation)
        self.dilation = dilation

    def forward(self, x):
        return torch.relu(x + self.first(F.pad(x, (self.dilation, 0))))


class Attention(nn.Module):
    """Attention with several heads (Vaswani et al., 2017), rows first throughout."""

    def __init__(self, size, heads, causal=False):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.ahead, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)

    def forward(self, x):
        n, steps, size = x.shape
        parts = self.ahead(x).reshape(n, steps, 3, self.heads, size // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-1, -2) / (size // self.heads) ** 0.5
        if self.causal:
            ahead = torch.triu(torch.ones(steps, steps, dtype=torch.bool), 1)
            scores = scores.masked_fill(ahead, -1e4)
        mixed = torch.softmax(scores, -1) @ v
        return self.out(mixed.transpose(1, 2).reshape(n, steps, size))


class Transformer(nn.Module):
    """A block of a transformer, normalized before its parts."""

    def __init__(self, size, heads):
        super().__init__()
        self.attention = Attention(size, heads)
        self.first, self.second = nn.LayerNorm(size), nn.LayerNorm(size)
        self.inner = nn.Sequential(nn.Linear(size, 6), nn.GELU(), nn.Linear(6, size))

    def forward(self, x):
        x = x + self.attention(self.first(x))
        return x + self.inner(self.second(x))


class Steps(nn.Module):
    """A recurrent layer, and a linear one of its last step or of all steps."""

    def __init__(self, cell, last=True, **options):
        super().__init__()
        self.cell, self.last = cell(3, 2, batch_first=True, **options), last
        self.out = nn.LazyLinear(2)

    def forward(self, x):
        y = self.cell(x)[0]
        return self.out(y[:, -1] if self.last else y)


class Mixer(nn.Module):
    """A block of MLP-Mixer (Tolstikhin et al., 2021)."""

    def __init__(self, steps, size):
        super().__init__()
        self.tokens, self.channels = nn.Linear(steps, steps), nn.Linear(size, size)

    def forward(self, x):
        x = x + F.gelu(self.tokens(x.transpose(1, 2))).transpose(1, 2)
        return x + F.gelu(self.channels(x))
