"""Plain-PyTorch reference for the MobileNet (ProxylessNAS-style) search space.

21 choice layers in six stages of (4, 4, 4, 4, 4, 1) layers. A layer chooses one of OPS; the
first layer of a stage changes shape, so it has no identity: the space holds 6^6 * 7^15 subnets.
Batch norm has no affine parameters and uses the statistics of the batch at hand.
"""

import torch
from torch import nn
from torch.nn import functional as F

# (kernel, expansion); the seventh choice, where allowed, is the identity.
OPS = [(3, 3), (3, 6), (5, 3), (5, 6), (7, 3), (7, 6)]
IDENTITY = 6
LAYERS = [4, 4, 4, 4, 4, 1]
STRIDES = [2, 2, 2, 1, 2, 1]
IMAGENET = {"stem": 32, "first": 16, "widths": [24, 40, 80, 96, 192, 320], "last": 1280, "classes": 1000}
SMALL = {"stem": 8, "first": 8, "widths": [8, 8, 16, 16, 24, 32], "last": 48, "classes": 10}


def batch_norm(x):
    return F.batch_norm(x, None, None, training=True, eps=1e-5)


class InvertedBottleneck(nn.Module):
    """1x1 expansion, depthwise kxk, 1x1 projection; residual where the shape is unchanged."""

    def __init__(self, cin, cout, kernel, stride, expansion):
        super().__init__()
        mid = cin * expansion
        self.residual = stride == 1 and cin == cout
        self.expand = nn.Conv2d(cin, mid, 1, bias=False) if expansion > 1 else None
        self.depthwise = nn.Conv2d(mid, mid, kernel, stride, kernel // 2, groups=mid, bias=False)
        self.project = nn.Conv2d(mid, cout, 1, bias=False)

    def forward(self, x):
        y = F.relu6(batch_norm(self.expand(x))) if self.expand is not None else x
        y = F.relu6(batch_norm(self.depthwise(y)))
        y = batch_norm(self.project(y))
        return x + y if self.residual else y


class Supernet(nn.Module):
    def __init__(self, stem, first, widths, last, classes):
        super().__init__()
        self.stem = nn.Conv2d(3, stem, 3, 2, 1, bias=False)
        self.first = InvertedBottleneck(stem, first, 3, 1, 1)
        self.first.residual = False
        self.layers = nn.ModuleList()
        cin = first
        for width, count, stride in zip(widths, LAYERS, STRIDES):
            for i in range(count):
                s = stride if i == 0 else 1
                self.layers.append(nn.ModuleList(InvertedBottleneck(cin, width, k, s, e) for k, e in OPS))
                cin = width
        self.mix = nn.Conv2d(cin, last, 1, bias=False)
        self.classifier = nn.Linear(last, classes)

    def forward(self, x, arch):
        x = F.relu6(batch_norm(self.stem(x)))
        x = self.first(x)
        for layer, op in zip(self.layers, arch):
            x = x if op == IDENTITY else layer[op](x)
        x = F.relu6(batch_norm(self.mix(x)))
        return self.classifier(x.mean((2, 3)))
