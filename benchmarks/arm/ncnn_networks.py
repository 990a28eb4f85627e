"""Networks whose times ncnn publishes for boards, written as ncnn reads them (.param), with weights of zeros.

The shapes are those of the papers, layer by layer as ncnn's own benchmark has them: an activation lies in the
convolution in front of it, batch norms are folded away. `int8`: convolutions of int8 numbers (8=2), whose answers stay
int8 where the next layer is one, too (8=102).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

SIZE = 224
"""Pixels of a side, for all of them."""

PUBLISHED_MS = {
    ("cortex-a72", "mobilenet"): 124.32,
    ("cortex-a72", "mobilenet_int8"): 84.82,
    ("cortex-a72", "resnet18"): 191.10,
    ("cortex-a72", "resnet18_int8"): 158.50,
    ("cortex-a72", "resnet50"): 534.11,
    ("cortex-a72", "resnet50_int8"): 423.96,
}
"""One thread of a Raspberry Pi 4 Model B at 1.8 GHz, averages: Tencent/ncnn, benchmark/README.md as of 2023
(`./benchncnn 10 1 0 -1 1`)."""


class _Network:
    """Lines of a .param file; what a layer puts out is the next one's input."""

    def __init__(self, int8: bool) -> None:
        self.int8, self.blobs, self.channels, self.last = int8, 1, 3, "data"
        self.lines: list[str] = []
        self._width: dict[str, int] = {}
        self.lines.append(f"Input data 0 1 data 0={SIZE} 1={SIZE} 2=3")

    def add(self, kind: str, settings: str, inputs: tuple[str, ...] = (), outputs: int = 1) -> tuple[str, ...]:
        inputs = inputs or (self.last,)
        made = tuple(f"b{self.blobs + each}" for each in range(outputs))
        self.blobs += outputs
        self.lines.append(
            f"{kind} l{len(self.lines)} {len(inputs)} {outputs} {' '.join((*inputs, *made))} {settings}".rstrip()
        )
        self.last = made[-1]
        return made

    def conv(
        self, channels: int, kernel: int, *, stride: int = 1, relu: bool = True, then_int8: bool = False, of: str = ""
    ) -> str:
        """Same padding, with a bias."""
        width = self.channels if not of else self._width[of]
        words = [f"0={channels}", f"1={kernel}", f"3={stride}", f"4={kernel // 2}", "5=1"]
        words += [f"6={width * channels * kernel**2}", *self._int8(then_int8), *(["9=1"] if relu else [])]
        (made,) = self.add("Convolution", " ".join(words), (of,) if of else ())
        self._width[made] = self.channels = channels
        return made

    def depthwise(self, stride: int) -> None:
        words = [
            f"0={self.channels}",
            "1=3",
            f"3={stride}",
            "4=1",
            "5=1",
            f"6={9 * self.channels}",
            f"7={self.channels}",
        ]
        (made,) = self.add("ConvolutionDepthWise", " ".join([*words, *self._int8(True, 1), "9=1"]))
        self._width[made] = self.channels

    def residual(self, body: Callable[[str], str], project: Callable[[str], str] | None) -> None:
        """relu(body(x) + x), or + project(x)."""
        width = self.channels
        kept, used = self.add("Split", "", outputs=2)
        self._width.update({kept: width, used: width})
        short = project(kept) if project else kept
        (summed,) = self.add("Eltwise", "0=1", (short, body(used)))
        (made,) = self.add("ReLU", "", (summed,))
        self._width[made] = self.channels

    def head(self) -> str:
        """Mean, 1000 classes, softmax: the whole file."""
        self.add("Pooling", "0=1 4=1")
        self.add("InnerProduct", " ".join(["0=1000", "1=1", f"2={1000 * self.channels}", *self._int8(False)]))
        self.add("Softmax", "")
        return "\n".join(["7767517", f"{len(self.lines)} {self.blobs}", *self.lines]) + "\n"

    def _int8(self, then_int8: bool, depthwise: int = 2) -> list[str]:
        return [f"8={100 * then_int8 + depthwise}"] if self.int8 else []


def mobilenet(int8: bool) -> str:
    """Howard et al. 2017, https://arxiv.org/abs/1704.04861, table 1."""
    net = _Network(int8)
    net.conv(32, 3, stride=2, then_int8=True)
    blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for number, (channels, stride) in enumerate(blocks):
        net.depthwise(stride)
        net.conv(channels, 1, then_int8=number < len(blocks) - 1)
    return net.head()


def resnet(int8: bool, blocks: tuple[int, ...], bottleneck: bool) -> str:
    """He et al. 2015, https://arxiv.org/abs/1512.03385, table 1."""
    net = _Network(int8)
    net.conv(64, 7, stride=2)
    (pooled,) = net.add("Pooling", "1=3 2=2")
    net._width[pooled] = 64
    for stage, count in enumerate(blocks):
        width = 64 * 2**stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            out = 4 * width if bottleneck else width

            def body(x: str, width: int = width, stride: int = stride, out: int = out) -> str:
                if not bottleneck:
                    return net.conv(out, 3, relu=False, of=net.conv(out, 3, stride=stride, then_int8=True, of=x))
                first = net.conv(width, 1, stride=stride, then_int8=True, of=x)
                return net.conv(out, 1, relu=False, of=net.conv(width, 3, then_int8=True, of=first))

            def project(x: str, stride: int = stride, out: int = out) -> str:
                return net.conv(out, 1, stride=stride, relu=False, of=x)

            net.residual(body, project if not block else None)
    return net.head()


NETWORKS: dict[str, Callable[[], str]] = {
    "mobilenet": lambda: mobilenet(False),
    "mobilenet_int8": lambda: mobilenet(True),
    "resnet18": lambda: resnet(False, (2, 2, 2, 2), False),
    "resnet18_int8": lambda: resnet(True, (2, 2, 2, 2), False),
    "resnet50": lambda: resnet(False, (3, 4, 6, 3), True),
    "resnet50_int8": lambda: resnet(True, (3, 4, 6, 3), True),
}
"""By the names that ncnn's benchmark gives them."""


def write(name: str, folder: Path) -> Path:
    """NAME.param in that folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.param"
    path.write_text(NETWORKS[name](), encoding="ascii")
    return path
