"""Plain-PyTorch reference for the N-shot supernet recipes on the NAS-Bench-201 space.

It is the thing a researcher would otherwise write by hand, kept as small as it can be:
the yardstick for speed (see bench.py).

Architecture: six operation indices, one per edge, in the order
1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2; operations in the order of OPS.
"""

import torch
from torch import nn
from torch.nn import functional as F

OPS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
EDGES = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]  # (source node, target node)


def batch_norm(x):
    """Affine-free batch normalisation with the statistics of this very batch."""
    return F.batch_norm(x, None, None, training=True, eps=1e-5)


class ReluConvBn(nn.Module):
    """ReLU, then a same-padded convolution with bias, then batch norm."""

    def __init__(self, channels, kernel):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=True)

    def forward(self, x):
        return batch_norm(self.conv(F.relu(x)))


class Cell(nn.Module):
    """Four nodes, six edges; node 3 is the output. Only convolutions own parameters."""

    def __init__(self, channels):
        super().__init__()
        self.edges = nn.ModuleList(
            nn.ModuleDict({"nor_conv_1x1": ReluConvBn(channels, 1), "nor_conv_3x3": ReluConvBn(channels, 3)})
            for _ in EDGES
        )

    def edge(self, index, op, x):
        name = OPS[op]
        if name == "none":
            return x * 0.0
        if name == "skip_connect":
            return x
        if name == "avg_pool_3x3":
            return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        return self.edges[index][name](x)

    def forward(self, x, arch):
        nodes = [x, None, None, None]
        for index, (source, target) in enumerate(EDGES):
            y = self.edge(index, arch[index], nodes[source])
            nodes[target] = y if nodes[target] is None else nodes[target] + y
        return nodes[3]


class Reduction(nn.Module):
    """Residual block that halves the resolution and doubles the channels."""

    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.conv_a = nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1, bias=True)
        self.conv_b = nn.Conv2d(channels_out, channels_out, 3, stride=1, padding=1, bias=True)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, bias=False)

    def forward(self, x):
        y = batch_norm(self.conv_a(F.relu(x)))
        y = batch_norm(self.conv_b(F.relu(y)))
        return self.shortcut(F.avg_pool2d(x, 2, stride=2)) + y


class Supernet(nn.Module):
    """stem, then three stages of `cells` cells at C, 2C and 4C channels, then the classifier."""

    def __init__(self, channels=16, cells=5, classes=10, in_channels=3):
        super().__init__()
        self.stem = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.stages = nn.ModuleList(
            nn.ModuleList(Cell(channels * 2**s) for _ in range(cells)) for s in range(3)
        )
        self.reductions = nn.ModuleList(
            [Reduction(channels, channels * 2), Reduction(channels * 2, channels * 4)]
        )
        self.classifier = nn.Linear(channels * 4, classes)

    def forward(self, x, arch):
        x = batch_norm(self.stem(x))
        for stage, cells in enumerate(self.stages):
            if stage:
                x = self.reductions[stage - 1](x)
            for cell in cells:
                x = cell(x, arch)
        x = F.relu(batch_norm(x))
        return self.classifier(x.mean((2, 3)))
