"""Damage for artefacts and pictures, drawn from a seed: what a fuzzer feeds the runtime."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

from PIL import Image

from edgevit_runtime.manifest import read_manifest
from edgevit_runtime.verify.flatbuffer import SCALARS, Parser
from edgevit_runtime.verify.tflite_schema import TABLES
from support.sample_pictures import random_picture

WORDS = (0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 127, 128, 255, 256, 1000, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)


class _Recorder(Parser):
    """Remembers where everything lies that it reads."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, TABLES)
        self.places: set[tuple[int, int]] = {(0, 4)}

    def _number(self, kind, at):
        return SCALARS[kind].unpack_from(self.data, at)[0]

    def table(self, at, name):
        start = at - self._number("i", at)
        count = self._number("H", start)
        self.places |= {(at, 4), *((start + each, 2) for each in range(0, count, 2))}
        for number, (_, kind) in TABLES[name].items():
            if 4 + 2 * number + 2 <= count:
                offset = self._number("H", start + 4 + 2 * number)
                if offset:
                    self.places.add((at + offset, SCALARS[kind].size if kind in SCALARS else 4))
                    if kind == "offset":  # an operator's options: scalars, wherever they are
                        options = at + offset + self._number("I", at + offset)
                        self.places |= {(options + each, 4) for each in range(-12, 24, 4)}
        return super().table(at, name)

    def _vector(self, at, item_bytes):
        start, count = super()._vector(at, item_bytes)
        self.places.add((at, 4))
        if item_bytes > 1:
            self.places |= {(start + item_bytes * each, min(item_bytes, 4)) for each in range(count)}
        return start, count


class Artefacts:
    """Damaged copies of one artefact, number by number. Its seal is taken off: it would find nearly all of them."""

    def __init__(self, path: Path) -> None:
        manifest = read_manifest(path)
        self.whole = path.read_bytes()[: manifest.size_bytes].replace(b'"sealed":true', b'"sealed":0   ')
        recorder = _Recorder(self.whole)
        model = recorder.root("Model")
        self.places = sorted(recorder.places)
        # What a small constant holds (axes, shapes) decides as much as any offset.
        for buffer in model["buffers"]:
            start, count = buffer.get("data", (buffer.get("offset", 0), buffer.get("size", 0)))
            if 0 < count <= 64:
                self.places += [(start + each, 4) for each in range(0, count - 3, 4)]

    def damaged(self, number: int) -> bytes:
        draw = random.Random(number)
        data = bytearray(self.whole)
        kind = draw.random()
        if kind < 0.75:
            for _ in range(draw.choice((1, 1, 1, 2, 3))):
                self._word(data, draw)
        elif kind < 0.9:
            for _ in range(draw.choice((1, 2, 8, 64))):
                data[draw.randrange(len(data))] = draw.randrange(256)
        elif kind < 0.95:
            start, size = draw.randrange(len(data)), draw.choice((4, 16, 256, 4096))
            source = draw.randrange(len(data))
            data[start : start + size] = data[source : source + size]
        else:
            del data[draw.randrange(len(data)) :]
        return bytes(data)

    def _word(self, data: bytearray, draw: random.Random) -> None:
        at, size = draw.choice(self.places)
        kind = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}[size]
        old = struct.unpack_from(kind, data, at)[0]
        new = draw.choice(
            (
                old + draw.choice((-64, -16, -4, -2, -1, 1, 2, 4, 16, 64)),
                draw.choice(WORDS),
                old ^ (1 << draw.randrange(8 * size)),
                draw.randrange(255) << 23,  # a float32 of any magnitude, for scales
                struct.unpack_from(
                    kind, data, draw.choice([each for each, width in self.places[:999] if width >= size])
                )[0],
            )
        )
        struct.pack_into(kind, data, at, new % (1 << 8 * size))


class Pictures:
    """Damaged picture files of several formats, number by number."""

    def __init__(self) -> None:
        self.whole = []
        for index, (form, mode) in enumerate(
            [
                ("JPEG", "RGB"),
                ("PNG", "RGBA"),
                ("PNG", "P"),
                ("GIF", "P"),
                ("BMP", "RGB"),
                ("TIFF", "RGB"),
                ("WEBP", "RGB"),
            ]
        ):
            file = io.BytesIO()
            picture: Image.Image = random_picture(index, (60, 40)).convert(mode)
            picture.save(file, form)
            self.whole.append(file.getvalue())

    def damaged(self, number: int) -> bytes:
        draw = random.Random(number)
        data = bytearray(draw.choice(self.whole))
        for _ in range(draw.choice((1, 2, 4, 16))):
            # Headers are short and decide most.
            at = draw.randrange(len(data) if draw.random() < 0.5 else min(200, len(data)))
            data[at] = draw.choice((draw.randrange(256), 0, 255, data[at] ^ (1 << draw.randrange(8))))
        if draw.random() < 0.1:
            del data[draw.randrange(len(data)) :]
        return bytes(data)
