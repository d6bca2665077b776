"""Modules of torch: layers, blocks and small published architectures, rebuilt.

Each is a function that builds a module, and the shape of a row; those that are refused come
with a part of the message.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from tests.zoo_blocks import (
    Attention,
    Causal,
    Dense,
    Excited,
    Fire,
    Inverted,
    Mixer,
    Residual,
    Steps,
    Transformer,
    Wired,
)


class Entry(NamedTuple):
    """A module, and what becomes of it."""

    group: str
    build: object
    shape: tuple
    #: A part of the message of the refusal.
    refused: str = ""
    #: Oldest opset that torch exports it with.
    since: int = 11


def between(function):
    """Return what builds a network with a function between two layers."""
    return lambda: Wired(
        lambda m, x: m[1](function(m[0](x))), nn.Linear(4, 4), nn.Linear(4, 2)
    )


def layer(build):
    """Return what builds a network with a layer between two others."""
    return lambda: nn.Sequential(nn.Linear(4, 4), build(), nn.Linear(4, 2))


def image(*layers):
    """Return what builds a network of images with a linear layer at its end."""
    return lambda: nn.Sequential(
        *(part() for part in layers), nn.Flatten(), nn.LazyLinear(2)
    )


def conv(*args, **options):
    return lambda: nn.Conv2d(*args, **options)


def _activations():
    kinds = [
        *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU),
        *(nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign, nn.Softshrink),
        *(nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.Hardshrink, nn.LogSigmoid),
        *(nn.Tanhshrink, nn.Identity, nn.Dropout),
    ]
    found = {kind.__name__: Entry("functions", layer(kind), (4,)) for kind in kinds}
    found["Softmax"] = Entry("functions", layer(lambda: nn.Softmax(1)), (4,))
    found["LogSoftmax"] = Entry("functions", layer(lambda: nn.LogSoftmax(1)), (4,))
    found["Softmin"] = Entry("functions", layer(lambda: nn.Softmin(1)), (4,))
    found["GLU"] = Entry(
        "functions",
        lambda: nn.Sequential(nn.Linear(4, 4), nn.GLU(1), nn.Linear(2, 2)),
        (4,),
    )
    functions = {
        "abs": torch.abs,
        "exp": torch.exp,
        "square": torch.square,
        "sin": torch.sin,
        "erf": torch.erf,
        "clamp": lambda x: x.clamp(-0.5, 0.5),
        "sqrt of a square": lambda x: torch.sqrt(x * x + 1),
        "floor": torch.floor,
        "sign": torch.sign,
        "where": lambda x: torch.where(x > 0, x, -x),
        "minimum": lambda x: torch.minimum(x, x.flip(1)),
        "maximum": lambda x: torch.maximum(x, x.roll(1, 1)),
        "product": lambda x: x * x.flip(1),
        "mean": lambda x: x - x.mean(1, keepdim=True),
        "amax": lambda x: x - x.amax(1, keepdim=True),
        "norm": lambda x: F.normalize(x, dim=1),
        "logsumexp": lambda x: x - torch.logsumexp(x, 1, keepdim=True),
        "cumsum": lambda x: torch.cumsum(x, 1),
        "sum of squares": lambda x: x + x.square().sum(1, keepdim=True),
        "concatenation": lambda x: torch.cat([x[:, :2], x[:, 2:].relu()], 1),
        "split": lambda x: torch.cat([p.relu() for p in x.chunk(2, 1)], 1),
        "gather": lambda x: x[:, [3, 0, 1, 1]],
        "assignment": lambda x: torch.cat([x[:, :1], x[:, 1:] * 2], 1),
        "argmax": lambda x: x * x.argmax(1, keepdim=True),
        "sort": lambda x: x.sort(1)[0],
    }
    refused = {"argmax": "ArgMax", "sort": "TopK"}
    found |= {
        name: Entry("functions", between(function), (4,), refused.get(name, ""))
        for name, function in functions.items()
    }
    return found


BN = {
    "BatchNorm1d": Entry("layers", layer(lambda: nn.BatchNorm1d(4)), (4,)),
    "LayerNorm": Entry("layers", layer(lambda: nn.LayerNorm(4)), (4,)),
    "Linear": Entry("layers", lambda: nn.Linear(4, 2), (4,)),
    "Embedding": Entry(
        "layers",
        lambda: Wired(
            lambda m, x: m[1](m[0].weight[0] + x), nn.Embedding(3, 4), nn.Linear(4, 2)
        ),
        (4,),
    ),
    "RMSNorm": Entry(
        "layers",
        between(lambda x: x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-5)),
        (4,),
    ),
}
SHAPE = (2, 6, 6)
IMAGES = {
    "Conv2d": image(conv(2, 3, 3)),
    "Conv2d, strides": image(conv(2, 3, 3, stride=2, padding=1)),
    "Conv2d, dilations": image(conv(2, 3, 2, dilation=2)),
    "Conv2d, groups": image(conv(2, 4, 3, groups=2)),
    "Conv2d, reflected": image(conv(2, 3, 3, padding=1, padding_mode="reflect")),
    "Conv2d, edges": image(conv(2, 3, 3, padding=1, padding_mode="replicate")),
    "Conv2d, circular": image(conv(2, 3, 3, padding=1, padding_mode="circular")),
    "ConvTranspose2d": image(
        conv(2, 2, 3), nn.ReLU, lambda: nn.ConvTranspose2d(2, 2, 2, stride=2)
    ),
    "ConvTranspose2d, padded": image(
        lambda: nn.ConvTranspose2d(2, 2, 3, 2, padding=1, output_padding=1)
    ),
    "MaxPool2d": image(conv(2, 2, 3), lambda: nn.MaxPool2d(2)),
    "AvgPool2d": image(conv(2, 2, 3), lambda: nn.AvgPool2d(2)),
    "LPPool2d": image(conv(2, 2, 3), nn.ReLU, lambda: nn.LPPool2d(2, 2)),
    "AdaptiveAvgPool2d": image(conv(2, 3, 3), nn.ReLU, lambda: nn.AdaptiveAvgPool2d(1)),
    "AdaptiveMaxPool2d": image(conv(2, 3, 3), nn.ReLU, lambda: nn.AdaptiveMaxPool2d(1)),
    "BatchNorm2d": image(conv(2, 3, 3), lambda: nn.BatchNorm2d(3), nn.ReLU),
    "InstanceNorm2d": image(conv(2, 2, 3), lambda: nn.InstanceNorm2d(2, affine=True)),
    "GroupNorm": image(conv(2, 4, 3), lambda: nn.GroupNorm(2, 4)),
    "PixelShuffle": image(conv(2, 4, 3), nn.ReLU, lambda: nn.PixelShuffle(2)),
    "PixelUnshuffle": image(conv(2, 1, 3), nn.ReLU, lambda: nn.PixelUnshuffle(2)),
    "ZeroPad2d": image(lambda: nn.ZeroPad2d(1), conv(2, 2, 3)),
    "ReflectionPad2d": image(lambda: nn.ReflectionPad2d(1), conv(2, 2, 3)),
    "ReplicationPad2d": image(conv(2, 2, 3), nn.ReLU, lambda: nn.ReplicationPad2d(1)),
    "Upsample, nearest": image(conv(2, 2, 3), nn.ReLU, lambda: nn.Upsample(scale_factor=2)),
    "Upsample, bilinear": image(
        conv(2, 2, 3), nn.ReLU, lambda: nn.Upsample(scale_factor=2, mode="bilinear")
    ),
    "Dropout2d": image(conv(2, 2, 3), nn.ReLU, nn.Dropout2d),
    "Unflatten": image(
        conv(2, 2, 3), nn.Flatten, lambda: nn.Unflatten(1, (2, 16)), nn.ReLU
    ),
    "LeNet": image(
        conv(2, 2, 3, padding=1),
        nn.Tanh,
        lambda: nn.AvgPool2d(2),
        conv(2, 4, 2),
        nn.Tanh,
        nn.Flatten,
        lambda: nn.Linear(16, 5),
        nn.Tanh,
    ),
    "VGG": image(
        conv(2, 3, 3, padding=1),
        nn.ReLU,
        conv(3, 3, 3, padding=1),
        nn.ReLU,
        lambda: nn.MaxPool2d(2),
        conv(3, 4, 3, padding=1),
        nn.ReLU,
        lambda: nn.MaxPool2d(2),
    ),
    "ResNet block": image(conv(2, 2, 3), lambda: Residual(2), lambda: nn.AvgPool2d(2)),
    "ResNet bottleneck": image(conv(2, 4, 3), lambda: Residual(4, bottleneck=True)),
    "MobileNet block": image(
        conv(2, 2, 3, groups=2), nn.ReLU6, conv(2, 4, 1), nn.ReLU6, lambda: nn.AvgPool2d(2)
    ),
    "MobileNetV2 block": image(conv(2, 2, 3), lambda: Inverted(2, 4)),
    "squeeze and excitation": image(conv(2, 3, 3), nn.ReLU, lambda: Excited(3)),
    "SqueezeNet fire": image(conv(2, 2, 3), lambda: Fire(2)),
    "DenseNet block": image(conv(2, 2, 3), lambda: Dense(2), lambda: Dense(4)),
    "U-Net": image(
        conv(2, 2, 3, padding=1),
        nn.ReLU,
        lambda: nn.MaxPool2d(2),
        conv(2, 3, 3, padding=1),
        nn.ReLU,
        lambda: nn.ConvTranspose2d(3, 2, 2, stride=2),
        nn.ReLU,
    ),
}
STEPS = {
    "Conv1d": lambda: nn.Sequential(
        nn.Conv1d(3, 2, 2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)
    ),
    "MaxPool1d": lambda: nn.Sequential(nn.MaxPool1d(2), nn.Flatten(), nn.LazyLinear(2)),
    "temporal convolutions": lambda: nn.Sequential(
        Causal(3, 1), Causal(3, 2), nn.Flatten(), nn.LazyLinear(2)
    ),
    "RNN": lambda: Steps(nn.RNN),
    "RNN, all steps": lambda: Steps(nn.RNN, last=False),
    "RNN, relu": lambda: Steps(nn.RNN, nonlinearity="relu"),
    "GRU": lambda: Steps(nn.GRU),
    "LSTM": lambda: Steps(nn.LSTM),
    "LSTM, two layers": lambda: Steps(nn.LSTM, num_layers=2),
    "LSTM, both directions": lambda: Steps(nn.LSTM, bidirectional=True),
    "MLP-Mixer": lambda: nn.Sequential(Mixer(3, 3), nn.Flatten(), nn.LazyLinear(2)),
    "matrix product of steps": lambda: Wired(
        lambda m, x: m[0](x @ x.transpose(1, 2)), nn.Linear(3, 2)
    ),
    "einsum": lambda: Wired(
        lambda m, x: m[0](
            torch.einsum("nij,jk->nik", x, m[0].weight.T).relu() @ m[0].weight
        ),
        nn.Linear(3, 2),
    ),
    "einsum of two": lambda: Wired(
        lambda m, x: m[0](torch.einsum("nij,nkj->nik", x, x).relu()), nn.Linear(3, 2)
    ),
}
CAUSAL = nn.Transformer.generate_square_subsequent_mask(3)


def heads(n_heads, *, need_weights=False, batch_first=True, mask=None):
    """Return attention of torch of four numbers a step to themselves, and a layer."""

    def forward(parts, x):
        attention, last = parts
        x = x if batch_first else x.transpose(0, 1)
        y = attention(x, x, x, need_weights=need_weights, attn_mask=mask)[0]
        return last(y if batch_first else y.transpose(0, 1))

    attention = nn.MultiheadAttention(4, n_heads, batch_first=batch_first)
    return Wired(forward, attention, nn.Linear(4, 2))


def encoder(**options):
    """Return an encoder of transformers, and a layer."""
    layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True, **options)
    return nn.Sequential(layer, nn.Linear(4, 2))


TOKENS = {
    "attention": lambda: Attention(4, 1),
    "attention of two heads": lambda: Attention(4, 2),
    "causal attention": lambda: Attention(4, 1, causal=True),
    "transformer block": lambda: nn.Sequential(
        Transformer(4, 2), nn.Flatten(), nn.LazyLinear(2)
    ),
    "scaled_dot_product_attention": lambda: Wired(
        lambda m, x: m[1](F.scaled_dot_product_attention(m[0](x), x, x)),
        nn.Linear(4, 4),
        nn.Linear(4, 2),
    ),
    "MultiheadAttention": lambda: heads(2),
    "MultiheadAttention, one head": lambda: heads(1),
    "MultiheadAttention, with weights": lambda: heads(2, need_weights=True),
    "MultiheadAttention, steps first": lambda: heads(2, batch_first=False),
    "MultiheadAttention, causal": lambda: heads(2, mask=CAUSAL),
    "TransformerEncoderLayer": lambda: encoder(),
    "TransformerEncoderLayer, norm_first": lambda: encoder(
        norm_first=True, activation="gelu"
    ),
    "TransformerDecoderLayer": lambda: Wired(
        lambda m, x: m[1](m[0](x, x.flip(1))),
        nn.TransformerDecoderLayer(4, 2, 6, batch_first=True),
        nn.Linear(4, 2),
    ),
}
REFUSED = {
    "LocalResponseNorm": (
        image(conv(2, 2, 3), lambda: nn.LocalResponseNorm(2)),
        "or on a size that is not known",
    ),
}
ZOO = {
    **_activations(),
    **BN,
    **{name: Entry("images", build, SHAPE) for name, build in IMAGES.items()},
    **{name: Entry("sequences", build, (3, 3)) for name, build in STEPS.items()},
    **{name: Entry("attention", build, (3, 4)) for name, build in TOKENS.items()},
    **{
        name: Entry("refused", build, SHAPE if "Local" in name else (3, 4), why)
        for name, (build, why) in REFUSED.items()
    },
}
#: torch exports these from another opset on.
SINCE = {
    "CELU": 13,
    "Unflatten": 13,
    "einsum": 13,
    "einsum of two": 13,
    "scaled_dot_product_attention": 17,
    "causal attention": 17,
    **{name: 14 for name in TOKENS if name.startswith(("Multihead", "Transformer"))},
}
for _name, _opset in SINCE.items():
    ZOO[_name] = ZOO[_name]._replace(since=_opset)
#: Opsets that torch exports them with.
OPSETS = (11, 13, 17, 18, 20)
