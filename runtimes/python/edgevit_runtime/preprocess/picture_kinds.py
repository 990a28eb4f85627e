"""The kinds of picture files that are read, and how each is told by its first bytes.

Pillow knows some forty kinds more. What is not here is never given to it: a decoder that starts another program (EPS
runs Ghostscript) or that nobody keeps pictures for is no way in for a stranger's file.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import warnings
from functools import cache
from typing import NamedTuple

from edgevit_runtime.errors import PictureError

__all__ = [
    "PICTURE_KINDS",
    "SUFFIXES",
    "UNREAD_KINDS",
    "PictureKind",
    "can_read",
    "kind_of",
    "pillow_formats",
    "what_it_needs",
]

START_BYTES = 160
"""How much of a file `pillow_formats` needs to see."""


class PictureKind(NamedTuple):
    """A kind of picture file."""

    suffixes: tuple[str, ...]
    """What names of such files end in, lower case."""
    start: bytes
    """What such files begin with: a regular expression."""
    pillow: str = ""
    """Pillow's name of its format; none where such files are not read."""
    plugin: str = ""
    """The module that decodes it."""
    feature: str = ""
    """What Pillow has to be built with, as `PIL.features` calls it; empty: every Pillow decodes it."""
    package: str = ""
    """What has to be installed beside Pillow."""
    by_name: bool = False
    """Its start says too little: it is looked for only where the file's name says so."""


PICTURE_KINDS = {
    # Each row: Pillow's "Image file formats", https://pillow.readthedocs.io/en/stable/handbook/image-file-formats.html,
    # and the accept function of its plugin for the start.
    # .mpo: several JPEGs in one file, as 3D cameras and phones write them; the first is the picture.
    "JPEG": PictureKind(
        (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"), rb"\xff\xd8\xff", "JPEG", "PIL.JpegImagePlugin"
    ),
    "PNG": PictureKind((".png", ".apng"), rb"\x89PNG\r\n\x1a\n", "PNG", "PIL.PngImagePlugin"),
    "WebP": PictureKind((".webp",), rb"RIFF.{4}WEBP", "WEBP", "PIL.WebPImagePlugin", "webp"),
    "AVIF": PictureKind(
        (".avif", ".avifs"), rb".{4}ftyp(?:avi[fs]|m[is]f1.{4}(?:.{4})*?avi[fs])", "AVIF", "PIL.AvifImagePlugin", "avif"
    ),
    "GIF": PictureKind((".gif",), rb"GIF8[79]a", "GIF", "PIL.GifImagePlugin"),
    "BMP": PictureKind((".bmp", ".dib"), rb"BM", "BMP", "PIL.BmpImagePlugin"),
    "TIFF": PictureKind((".tif", ".tiff"), rb"MM\0[*+]|MM\*\0|II[*+]\0|II\0\*", "TIFF", "PIL.TiffImagePlugin"),
    "PPM": PictureKind((".ppm", ".pgm", ".pbm", ".pnm"), rb"P[1-6][\s#]", "PPM", "PIL.PpmImagePlugin"),
    # https://pillow-heif.readthedocs.io; brands: ISO/IEC 23008-12, annex B.
    "HEIC": PictureKind(
        (".heic", ".heif", ".heics", ".heifs", ".hif"),
        rb".{4}ftyp(?:he[iv][cxms]|mif1|msf1)",
        "HEIF",
        "pillow_heif",
        package="pillow-heif",
    ),
    "JPEG 2000": PictureKind(
        (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
        rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n",
        "JPEG2000",
        "PIL.Jpeg2KImagePlugin",
        "jpg_2000",
    ),
    "TGA": PictureKind(
        (".tga", ".icb", ".vda", ".vst"), rb".[\x00\x01][\x01-\x03\x09-\x0b]", "TGA", "PIL.TgaImagePlugin", by_name=True
    ),
    "PCX": PictureKind((".pcx",), rb"\n[\x00\x02\x03\x05]", "PCX", "PIL.PcxImagePlugin", by_name=True),
    "SGI": PictureKind(
        (".sgi", ".rgb", ".rgba", ".bw"), rb"\x01\xda[\x00\x01]", "SGI", "PIL.SgiImagePlugin", by_name=True
    ),
    "ICO": PictureKind((".ico",), rb"\x00\x00\x01\x00", "ICO", "PIL.IcoImagePlugin", by_name=True),
    "Photoshop": PictureKind((".psd",), rb"8BPS", "PSD", "PIL.PsdImagePlugin"),
}

UNREAD_KINDS = {
    # Pictures that people have, too, and that are not read: folders name what they leave out, and refusals say why.
    # Camera raw is TIFF inside, but what Pillow would find there is a thumbnail.
    "camera raw": PictureKind(
        (".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".srw", ".orf", ".rw2", ".raf", ".pef"),
        rb"MM\0\*|II[*U]\0|IIR[OS]|FUJIFILMCCD-RAW|.{4}ftypcrx ",
        by_name=True,
    ),
    "JPEG XL": PictureKind((".jxl",), rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"),
    "SVG": PictureKind((".svg", ".svgz"), rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|svg|!DOCTYPE svg|!--)"),
    "PDF": PictureKind((".pdf", ".ai"), rb"%PDF"),
    "PostScript": PictureKind((".eps", ".ps"), rb"%!PS|\xc5\xd0\xd3\xc6"),
    "Windows metafile": PictureKind((".wmf", ".emf"), rb"\xd7\xcd\xc6\x9a|\x01\x00\x00\x00.{36} EMF"),
    "DICOM": PictureKind((".dcm", ".dicom"), rb".{128}DICM", by_name=True),
    "OpenEXR": PictureKind((".exr",), rb"v/1\x01"),
    "GIMP": PictureKind((".xcf",), rb"gimp xcf"),
    "video": PictureKind(
        (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"),
        rb".{4}ftyp(?:isom|iso\d|mp4|avc1|qt  |M4V)|RIFF.{4}AVI |\x1aE\xdf\xa3|\x00\x00\x01[\xb3\xba]",
    ),
}

_BY_SUFFIX = {
    suffix: name for kinds in (PICTURE_KINDS, UNREAD_KINDS) for name, kind in kinds.items() for suffix in kind.suffixes
}
SUFFIXES = frozenset(suffix for kind in PICTURE_KINDS.values() for suffix in kind.suffixes)
"""What names of picture files end in, lower case; some kinds need more than Pillow (`can_read`)."""


def kind_of(name: str | os.PathLike[str]) -> str | None:
    """The kind that a file's name says, a key of `PICTURE_KINDS` or `UNREAD_KINDS`; None for none of them."""
    return _BY_SUFFIX.get(os.path.splitext(os.fspath(name))[1].lower())


@cache
def can_read(kind: str) -> bool:
    """Whether pictures of a kind can be decoded here, with what is installed."""
    row = PICTURE_KINDS.get(kind)
    if row is None:
        return False
    if row.package:
        return importlib.util.find_spec(row.plugin) is not None
    if not row.feature:
        return True
    try:
        from PIL import features
    except ImportError:
        return False
    with warnings.catch_warnings():  # an older Pillow does not know the feature, and so has it not
        warnings.simplefilter("ignore")
        return bool(features.check(row.feature))


def what_it_needs(kind: str) -> str:
    """What to do about a kind that `can_read` says no to."""
    row = PICTURE_KINDS.get(kind)
    if row is None:
        return "save such pictures as JPEG or PNG" if kind != "video" else "take pictures out of it"
    if row.package:
        return f"`pip install {row.package}`"
    return "needs a newer Pillow, `pip install --upgrade pillow`, that is built with it"


def pillow_formats(start: bytes, name: str | os.PathLike[str] = "") -> tuple[str, ...]:
    """What a file may be, for `PIL.Image.open(file, formats=...)`; the decoders are loaded.

    start: the file's first bytes, `START_BYTES` of them or all. name: the file's, where it has one: it decides where
    the first bytes do not.

    Raises `PictureError` for what is no picture of a kind that can be read here, and says what it is; ImportError
    where there is no Pillow.
    """
    said = kind_of(name)
    kinds = {**PICTURE_KINDS, **UNREAD_KINDS}
    others = (kind for kind, row in kinds.items() if not row.by_name)
    # What the name says comes first: camera raw begins as TIFF does, and few patterns have to be compiled.
    for kind in (said, *others) if said else others:
        if re.match(kinds[kind].start, start, re.DOTALL):
            if can_read(kind):
                return (_load(kind),)
            raise PictureError(f"it is {kind}, which is not read here: {what_it_needs(kind)}")
    raise PictureError(f"it is no picture of a kind that is read ({', '.join(PICTURE_KINDS)})")


def _load(kind: str) -> str:
    """Pillow's name of a kind's format, once its decoder is there."""
    row = PICTURE_KINDS[kind]
    module = importlib.import_module(row.plugin)
    if row.package:
        module.register_heif_opener()
    return row.pillow
