"""Times torchvision on a folder of JPEG files: what one would otherwise feed an ImageNet-like training with.

    pip install torch==2.13.0 torchvision && python3 images.py --folder /tmp/images

Makes the files first where they are absent: 600 of 500x375 in two classes, smooth noise of several sizes, quality 88.
Then takes batches of 64 from ImageFolder and DataLoader with RandomResizedCrop(224), RandomHorizontalFlip, ToTensor and
Normalize, in one endless epoch so that the worker processes are never started anew. The clock starts after 8 batches.
Prints one JSON line with images a second.
"""

import argparse
import itertools
import json
import pathlib
import time

import numpy as np
import torch
from PIL import Image

IMAGES, CLASSES, WIDTH, HEIGHT = 600, 2, 500, 375
FIRST = 8


def make(folder):
    """In a folder beside, renamed when all are there."""
    unfinished = folder.with_name(folder.name + ".unfinished")
    rng = np.random.default_rng(0)
    for index in range(IMAGES):
        image = np.zeros((HEIGHT, WIDTH, 3))
        # From fine to coarse; a photograph has most of its contrast in what is large.
        for size, weight in [(4, 0.12), (16, 0.29), (64, 0.29), (200, 0.29)]:
            noise = rng.integers(0, 256, (HEIGHT // size + 2, WIDTH // size + 2, 3), dtype=np.uint8)
            layer = Image.fromarray(noise).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
            image += weight * np.asarray(layer, dtype=float)
        path = unfinished / "train" / f"class-{index % CLASSES}" / f"{index:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(path, quality=88)
    unfinished.rename(folder)


def measure(folder, workers, seconds):
    # Not needed for making the files, and not in every PyTorch's environment.
    from torchvision import datasets, transforms

    torch.set_num_threads(1)
    change = transforms.Compose([
        transforms.RandomResizedCrop(224),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ])
    dataset = datasets.ImageFolder(folder / "train", change)
    sampler = torch.utils.data.RandomSampler(dataset, replacement=True, num_samples=10_000_000)
    loader = torch.utils.data.DataLoader(dataset, 64, sampler=sampler, num_workers=workers)
    batches = iter(loader)
    for _ in itertools.islice(batches, FIRST):
        pass
    begin, images = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - begin) < seconds:
        images += len(next(batches)[1])
    return images / elapsed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()
    if not args.folder.is_dir():
        make(args.folder)
    print(json.dumps({"per_second": round(measure(args.folder, args.workers, args.seconds), 1)}))


if __name__ == "__main__":
    main()
