#!/usr/bin/env bash
# Builds a folder that answers to adb as a phone does: Debian's real adbd, and under /system/bin what Android has there:
# mksh as sh, toybox for all else, a `getprop`. No Python, no /tmp, no loader in /lib: what is not brought along is not there.
#
#   tools/adbd-root.sh FOLDER [ABI]     ABI: x86_64 (default), or arm64-v8a: then sh and toybox are arm64's
#
# tests/support/adb_phones.py starts it. Needs mmdebstrap (`apt install mmdebstrap`) and a way to a Debian mirror
# ($DEBIAN_MIRROR, default http://deb.debian.org/debian). No root needed.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,9p' "$0" >&2; exit 2; }
root=$(realpath -m "$1")
abi=${2:-x86_64}
case $abi in
x86_64) debian=amd64 triplet=x86_64-linux-gnu loader=/lib64/ld-linux-x86-64.so.2 ;;
arm64-v8a) debian=arm64 triplet=aarch64-linux-gnu loader=/lib/ld-linux-aarch64.so.1 ;;
*) echo "adbd-root: no ABI $abi (known: x86_64, arm64-v8a)" >&2; exit 2 ;;
esac
command -v mmdebstrap >/dev/null || { echo "adbd-root: no mmdebstrap: apt install mmdebstrap" >&2; exit 1; }
[ ! -e "$root" ] || { echo "adbd-root: $root is there already" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

unpack() { # architecture, packages: unpacked, not configured, into a folder named after the architecture
	mkdir -p "$work/$1"
	mmdebstrap --quiet --mode=$([ "$(id -u)" = 0 ] && echo root || echo unshare) --variant=extract --architectures="$1" \
		--format=tar --include="$2" trixie - "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" |
		tar -x --no-same-owner --exclude './dev/*' --exclude './usr/share' --exclude '*/gconv' -C "$work/$1"
}
unpack amd64 adbd,mksh,toybox
[ $debian = amd64 ] || unpack $debian mksh,toybox

# adbd is this machine's and has its libraries beside it; programs of the phone find theirs through LD_LIBRARY_PATH.
phone=$work/phone bin=$work/phone/system/bin
mkdir -p "$bin" "$phone"/{adbd,system/lib64,system/props,data/local/tmp,dev,proc,sys,etc}
cp -aL "$work/amd64/usr/sbin/adbd" "$phone/adbd/"
cp -aL "$work"/amd64/usr/lib/x86_64-linux-gnu/*.so* "$work"/amd64/usr/lib/x86_64-linux-gnu/android/*.so* "$phone/adbd/"
cp -aL "$work/$debian/usr/lib/$triplet"/*.so* "$phone/system/lib64/"
cp -aL "$work/$debian/usr/lib/$triplet/${loader##*/}" "$bin/linker64"
cp -aL "$work/$debian/usr/bin/mksh-static" "$bin/sh"
# toybox asks for its loader where Android has one, not where Debian has it: the two names, to the same length.
python3 - "$work/$debian/usr/bin/toybox" "$bin/toybox" $loader <<'END'
import pathlib, sys
source, target, loader = sys.argv[1:]
asked, there = loader.encode(), b"/system/bin/linker64"
content = pathlib.Path(source).read_bytes()
assert content.count(asked) == 1
pathlib.Path(target).write_bytes(content.replace(asked, there.ljust(len(asked), b"\0")))
END
chmod +x "$bin/toybox"
printf '#!/system/bin/sh\n[ -r "/system/props/$1" ] && cat "/system/props/$1" || echo\n' >"$bin/getprop"
chmod +x "$bin/getprop"
for applet in $("$work"/amd64/usr/lib*/ld-linux-x86-64.so.2 --library-path "$phone/adbd" "$work/amd64/usr/bin/toybox"); do
	[ -e "$bin/$applet" ] || ln -s toybox "$bin/$applet"
done
echo "$abi" >"$phone/system/props/ro.product.cpu.abi"
echo Debian >"$phone/system/props/ro.product.manufacturer"
echo "adbd on $abi" >"$phone/system/props/ro.product.model"
echo 14 >"$phone/system/props/ro.build.version.release"
ln -s system/bin "$phone/bin"
mkdir -p "$(dirname "$root")"
mv "$phone" "$root"
