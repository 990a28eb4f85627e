#!/usr/bin/env bash
# Builds a folder that is a small Debian for arm64, with Python 3.11, edgevit-runtime and its real aarch64 wheels in it,
# and says how to run it on this PC: the nearest thing to a Raspberry Pi's system without one.
#
#   tools/arm64-root.sh FOLDER [WHEEL]     WHEEL: an edgevit-runtime wheel; without it, one is built from this clone
#
# Needs Debian or Ubuntu with qemu-user-static and mmdebstrap (`apt install qemu-user-static mmdebstrap`; qemu-user does,
# too, and counts besides: docs/arm.md), pip, and a way
# to a Debian mirror ($DEBIAN_MIRROR, default http://deb.debian.org/debian) and to a package index. No root needed.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,9p' "$0" >&2; exit 2; }
root=$(realpath -m "$1")
here=$(cd "$(dirname "$0")/.." && pwd)
{ command -v qemu-aarch64-static || command -v qemu-aarch64; } >/dev/null ||
	{ echo "arm64-root: no qemu-aarch64-static: apt install qemu-user-static mmdebstrap" >&2; exit 1; }
command -v mmdebstrap >/dev/null || { echo "arm64-root: no mmdebstrap: apt install qemu-user-static mmdebstrap" >&2; exit 1; }
[ ! -e "$root" ] || { echo "arm64-root: $root is there already" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Packages are unpacked, not configured: nothing of arm64 has to run for that, and nothing has to be root.
mmdebstrap --quiet --mode=$([ "$(id -u)" = 0 ] && echo root || echo unshare) --variant=extract --architectures=arm64 \
	--include=python3.11-minimal,libpython3.11-stdlib,libstdc++6,libgomp1,ca-certificates \
	bookworm "$work/root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"

wheel=${2:-}
python=${PYTHON:-python3}
if [ -z "$wheel" ]; then
	cp -r "$here/runtimes/python" "$work/source"
	$python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$work" "$work/source"
	wheel=$(echo "$work"/edgevit_runtime-*.whl)
fi
$python -m pip install --quiet --disable-pip-version-check --target "$work/root/opt/edgevit" --implementation cp \
	--python-version 3.11 --abi cp311 --abi abi3 --abi none --only-binary :all: \
	--platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 \
	--platform manylinux2014_aarch64 ${CONSTRAINTS:+--constraint "$CONSTRAINTS"} "$wheel[pictures]"

# LiteRT looks into /proc/cpuinfo for what the processor can do, and qemu-user before 8 shows it that of the PC. So each
# kind of processor gets a root of its own, that differs in this file only.
processor() { # name, part number, features
	local top="$work/root/cpu/$1"
	mkdir -p "$top/proc"
	for each in usr lib etc opt; do ln -s "../../$each" "$top/$each"; done
	for core in 0 1 2 3; do
		printf 'processor\t: %d\nBogoMIPS\t: 108.00\nFeatures\t: %s\n' $core "$3"
		printf 'CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x4\nCPU part\t: %s\nCPU revision\t: 1\n\n' "$2"
	done >"$top/proc/cpuinfo"
}
processor cortex-a72 0xd08 "fp asimd evtstrm crc32 cpuid"
processor cortex-a76 0xd0b "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"

cat >"$work/root/run" <<'END'
#!/bin/sh
# run CPU ARGUMENTS: Python 3.11 for arm64 on a cortex-a72 (Raspberry Pi 4) or cortex-a76 (Raspberry Pi 5), by qemu
root=$(dirname "$(realpath "$0")")
cpu=$1
shift
exec env -u PYTHONHOME PYTHONPATH="$root/opt/edgevit" \
	"$(command -v qemu-aarch64-static || command -v qemu-aarch64)" -L "$root/cpu/$cpu" -cpu "$cpu" "$root/usr/bin/python3.11" "$@"
END
chmod +x "$work/root/run"
mkdir -p "$(dirname "$root")"
mv "$work/root" "$root"
cat <<END
$root is ready. As on a Raspberry Pi 5 (cortex-a76) or 4 (cortex-a72), only far slower:
  $root/run cortex-a76 -m edgevit_runtime self-test MODEL.tflite
END
