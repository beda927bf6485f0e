"""Times the plain-PyTorch reference: the yardstick for the trainer's speed and memory.

    pip install torch==2.13.0 && python3 bench.py --layout nhwc --steps 30

One step is forward, cross-entropy, backward, clipping at 5 and the optimizer's update, on random
CIFAR-10-shaped batches of 64, over the fixed architectures of bench-archs.json (in order,
repeated), after 3 steps of warm-up. Prints one JSON line: milliseconds a step (mean and median),
images a second, peak resident memory in MiB.

--space mobilenet trains that space instead (ImageNet widths, batches of 32, 64x64), over the fixed
architectures of bench-archs-mobilenet.json.

--layout nchw is what published code runs; nhwc (channels last) is what a careful user would run.
--task rank times evaluation instead: every architecture of the list on 512 images, without
gradients, in batches of 256; its figure is architectures a second. --archs takes them from another
list, such as bench-archs-classes.json (200 in 100 classes of equal networks, drawn from the 7,810
classes of the 15,625 until they had the mean size of all; each is evaluated, as published code does).
--task update trains but times the optimizer's update alone; --task checkpoint times torch.save of
the network and the optimizer, without waiting for the disk.
"""

import argparse
import json
import pathlib
import resource
import statistics
import tempfile
import time

import torch
from torch import nn
from torch.nn import functional as F

import mobilenet_torch
import nb201_torch as nb

HERE = pathlib.Path(__file__).parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--layout", choices=["nchw", "nhwc"], default="nchw")
    parser.add_argument("--task", choices=["train", "rank", "update", "checkpoint"], default="train")
    parser.add_argument("--space", choices=["nas-bench-201", "mobilenet"], default="nas-bench-201")
    parser.add_argument("--archs", type=pathlib.Path, help="a JSON list of architectures, in place of the fixed ones")
    parser.add_argument("--groups", type=int, default=1, help="momentum groups (5: momentum separation)")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--cells", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    layout = torch.channels_last if args.layout == "nhwc" else torch.contiguous_format
    mobilenet = args.space == "mobilenet"
    fixed = HERE / ("bench-archs-mobilenet.json" if mobilenet else "bench-archs.json")
    archs = json.loads((args.archs or fixed).read_text())
    if mobilenet:
        net, batch, side = mobilenet_torch.Supernet(**mobilenet_torch.IMAGENET), 32, 64
    else:
        net, batch, side = nb.Supernet(args.channels, args.cells), 64, 32
    net = net.to(memory_format=layout)
    groups = [
        torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9, weight_decay=5e-4, nesterov=True)
        for _ in range(args.groups)
    ]
    x = torch.randn(batch, 3, side, side).to(memory_format=layout)
    y = torch.randint(0, 10, (batch,))
    big = torch.randn(256, 3, side, side).to(memory_format=layout)

    def timed(part):
        begin = time.perf_counter()
        part()
        return time.perf_counter() - begin

    def update(arch):
        """A step; returns the seconds of the optimizer alone."""
        optimizer = groups[arch[0] % args.groups]
        optimizer.zero_grad()
        F.cross_entropy(net(x, arch), y).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5)
        return timed(optimizer.step)

    def train(arch):
        return timed(lambda: update(arch))

    def checkpoint(arch):
        update(arch)
        state = {"net": net.state_dict(), "optimizers": [group.state_dict() for group in groups]}
        with tempfile.TemporaryDirectory() as folder:
            return timed(lambda: torch.save(state, pathlib.Path(folder) / "checkpoint.pt"))

    @torch.no_grad()
    def evaluate(arch):
        for _ in range(2):
            net(big, arch).argmax(1)

    def rank(arch):
        return timed(lambda: evaluate(arch))

    run = {"train": train, "rank": rank, "update": update, "checkpoint": checkpoint}[args.task]
    times = [run(archs[step % len(archs)]) for step in range(args.steps + 3)][3:]
    mean = statistics.fmean(times)
    print(json.dumps({
        "space": args.space, "task": args.task, "layout": args.layout, "ms": round(mean * 1e3, 2),
        "ms_median": round(statistics.median(times) * 1e3, 2),
        "per_second": round((batch if args.task == "train" else 1) / mean, 2),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }))


if __name__ == "__main__":
    main()
