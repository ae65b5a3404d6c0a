#!/usr/bin/env python3
"""Writes pictures_reference.json: what Pillow makes of pictures, resized as torchvision and timm do.

Needs Debian's python3-pil (9.4.0 made the file). Tests read the file and need nothing:

    tests/web/pictures_reference.py > tests/web/pictures_reference.json
"""

import base64
import json
import math

from PIL import Image

FILTERS = {
    'nearest': Image.Resampling.NEAREST, 'bilinear': Image.Resampling.BILINEAR,
    'bicubic': Image.Resampling.BICUBIC, 'lanczos': Image.Resampling.LANCZOS,
}


def picture(width, height):
    """Something of every frequency; pictures.mjs has the same formula."""
    pixels = bytearray()
    for y in range(height):
        for x in range(width):
            pixels += bytes([(x * 7 + y * 3) & 255, (x * y) & 255, ((x // 5 + y // 7) % 2) * 200 + (x * 31 + y * 17) % 50, 255])
    return Image.frombytes('RGBA', (width, height), bytes(pixels)).convert('RGB')


def prepare(image, width, height, resize='cover', crop=1, align='center', fill=0, filter='bilinear', channels=3):
    if channels == 1:
        image = image.convert('L')
    w, h = image.size
    how = FILTERS[filter]
    if resize == 'contain':
        # As YOLO's letterbox: the sides are rounded, what is left is halved downwards.
        scale = min(width / w, height / h)
        new_w, new_h = min(width, math.floor(w * scale + 0.5)), min(height, math.floor(h * scale + 0.5))
        out = Image.new(image.mode, (width, height), fill if channels == 1 else (fill,) * 3)
        left, up = (0, 0) if align == 'start' else ((width - new_w) // 2, (height - new_h) // 2)
        out.paste(image.resize((new_w, new_h), how), (left, up))
        return out
    # torchvision's Resize and CenterCrop, timm's crop_pct.
    s_w, s_h = math.floor(width / crop), math.floor(height / crop)
    if resize == 'fill':
        new_w, new_h = s_w, s_h
    elif s_w * h >= s_h * w:
        new_w, new_h = s_w, int(s_w * h / w)
    else:
        new_w, new_h = int(s_h * w / h), s_h
    left, up = (0, 0) if align == 'start' else (int(round((new_w - width) / 2.0)), int(round((new_h - height) / 2.0)))
    return image.resize((new_w, new_h), how).crop((left, up, left + width, up + height))


CASES = [
    dict(from_=(97, 61), width=32, height=32),
    dict(from_=(61, 97), width=32, height=32, crop=0.875),
    dict(from_=(97, 61), width=24, height=40, crop=0.9),
    dict(from_=(20, 13), width=32, height=32),
    dict(from_=(33, 32), width=32, height=32),
    dict(from_=(32, 32), width=32, height=32),
    dict(from_=(1, 1), width=8, height=8),
    dict(from_=(3, 200), width=8, height=8),
    dict(from_=(97, 61), width=32, height=20, resize='fill'),
    dict(from_=(97, 61), width=28, height=28, resize='fill', crop=0.875),
    dict(from_=(20, 13), width=41, height=37, resize='fill'),
    dict(from_=(97, 61), width=32, height=32, resize='contain', fill=114),
    dict(from_=(61, 98), width=33, height=32, resize='contain', align='start'),
    dict(from_=(20, 13), width=33, height=40, resize='contain', fill=7),
    dict(from_=(97, 61), width=28, height=28, channels=1),
    dict(from_=(97, 61), width=28, height=28, align='start'),
    *(dict(from_=size, width=24, height=24, filter=name) for name in FILTERS for size in [(97, 61), (15, 11)]),
]

out = []
for case in CASES:
    arguments = {key: value for key, value in case.items() if key != 'from_'}
    data = prepare(picture(*case['from_']), **arguments).tobytes()
    out.append({'from': case['from_'], 'options': arguments, 'bytes': base64.b64encode(data).decode()})
print(json.dumps(out, indent=0))
