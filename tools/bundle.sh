#!/bin/sh
# Packs what a host without network needs into one file: image, packages, compose.init.yml, k8s/, docs, checksums, load.sh.
# Needs a POSIX shell, tar, sha256sum, and docker or podman. Exits with the image's own code where a package is bad.
set -eu
# What the scan says is in the operator's language; the rest of this script relies on plain bytes.
language=${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}
LC_ALL=C
export LC_ALL

USAGE='usage: bundle.sh --packages DIR --image TAG --out FILE.tar.gz [--scan-with TAG] [--sign KEY]
  --packages   folder with the archives
  --image      the image to pack; build it first: tools/image.sh -t TAG
  --out        the bundle to write
  --scan-with  image that judges the packages, where --image is for another architecture
  --sign       private key of ssh-keygen (Ed25519) that signs the lists of checksums: docs/signing.md'

fail() {
  echo "bundle.sh: $1" >&2
  exit "${2:-1}"
}

packages='' image='' out='' judge='' key=''
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      echo "$USAGE"
      exit 0
      ;;
    --packages | --image | --out | --scan-with | --sign)
      [ -n "${2:-}" ] || fail "$1 needs a value
$USAGE" 64
      case $1 in
        --packages) packages=$2 ;;
        --image) image=$2 ;;
        --out) out=$2 ;;
        --scan-with) judge=$2 ;;
        --sign) key=$2 ;;
      esac
      shift 2
      ;;
    *) fail "unknown option $1
$USAGE" 64 ;;
  esac
done
case ,$packages,$image,$out, in *,,*) missing=yes ;; *) missing='' ;; esac
[ -z "$missing" ] || fail "--packages, --image and --out are all needed
$USAGE" 64

root=$(cd "$(dirname "$0")/.." && pwd)
[ -d "$packages" ] || fail "--packages: $packages is not a folder" 66
packages=$(cd "$packages" && pwd)
folder=$(cd "$(dirname "$out")" 2>/dev/null && pwd) || fail "--out: the folder $(dirname "$out") does not exist"
out=$folder/$(basename "$out")

command -v sha256sum >/dev/null || fail "sha256sum is not installed"
if [ -n "$key" ]; then
  command -v ssh-keygen >/dev/null || fail "--sign needs ssh-keygen: install OpenSSH's client (8.2 or later)"
  [ -r "$key" ] || fail "--sign: $key cannot be read" 66
fi

# Signs a list of checksums, which leaves FILE.sig beside it.
sign() {
  ssh-keygen -q -Y sign -f "$key" -n bklite-package "$1" </dev/null || fail "ssh-keygen could not sign with $key; the reason is above"
}

# Prints the checksums of the files whose names come in, relative to this folder.
sums_of() {
  while IFS= read -r file; do sha256sum "${file#./}" || exit 1; done
}
engine='' why=''
for one in docker podman; do
  command -v "$one" >/dev/null || continue
  if words=$("$one" info 2>&1); then
    engine=$one
    break
  fi
  why="$why
$one: $words"
done
[ -n "$engine" ] || fail "neither docker nor podman can be used${why:-: none is installed}"
platform=$("$engine" image inspect --format '{{.Os}}/{{.Architecture}}' "$image" 2>&1) ||
  fail "$platform
build the image first: tools/image.sh -t $image"
# Compared before anything is judged: a program for another architecture fails in ways that look like bad packages.
judge=${judge:-$image}
judge_platform=$("$engine" image inspect --format '{{.Os}}/{{.Architecture}}' "$judge" 2>&1) ||
  fail "--scan-with: $judge_platform"
case $engine in
  docker) arch=$(docker version --format '{{.Server.Arch}}') ;;
  podman) arch=$(podman info --format '{{.Host.Arch}}') ;;
esac
[ "${judge_platform#*/}" = "$arch" ] ||
  fail "$judge is for $judge_platform, and $engine here runs linux/$arch: build an image for linux/$arch too, and name it with --scan-with"

# Such names have no plain line in a list of checksums.
newline='
'
strange=$(find -L "$packages" \( -name "*$newline*" -o -name '*\\*' \) -print)
[ -z "$strange" ] || fail "line break or backslash in a file's name: $strange"

echo "Judging $packages"
set -- --rm --network none --read-only --security-opt no-new-privileges -v "$packages:/packages:ro" -e "LANG=$language"
# As the one who packs: what this user can read is judged, as it is what tar will read.
if [ "$(id -u)" = 0 ]; then set -- "$@" --user 0:0; else set -- "$@" --cap-drop ALL --user "$(id -u):$(id -g)"; fi
[ "$engine" = podman ] && [ "$(id -u)" != 0 ] && set -- "$@" --userns keep-id
# The scan's table as wide as this terminal; a log file has room.
columns=''
[ ! -t 1 ] || columns=$(stty size 2>/dev/null </dev/tty | cut -d ' ' -f 2)
set -- "$@" -e "LOG_FORMAT=${LOG_FORMAT:-pretty}" -e "COLUMNS=${columns:-160}"
for name in PACKAGE_VERSION COLLECTORS COLLECTOR_PACKAGES REPACK ARCHIVE_CHECK ALLOW_EMPTY LOG_LEVEL LOG_LANG TZ; do
  set -- "$@" -e "$name"
done
"$engine" run "$@" "$judge" scan || {
  code=$?
  case $code in
    65 | 66 | 74) fail "nothing was packed: fix the packages named above" "$code" ;;
    *) fail "nothing was packed: $engine run $judge scan ended with exit $code; the reason is above" "$code" ;;
  esac
}

work=$(mktemp -d "$folder/.bundle-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# Whoever unpacks the bundle can read what is in it; the bundle itself obeys this user's umask.
mask=$(umask)
umask 022
top=$work/bklite-package-init
mkdir "$top"
for name in LICENSE compose.init.yml docs k8s; do ln -s "$root/$name" "$top/$name"; done
ln -s "$root/tools/load.sh" "$top/load.sh"
# Links, which tar follows: no archive is copied. Hidden and half-copied files stay out: the job passes over them, too.
(cd "$packages" && find -L . -type f) | grep -v -e '/\.' -e '\.part$' -e '\.tmp$' | sort >"$work/packages"
# New lists are signed: one in a folder below would count instead, without a signature.
[ -z "$key" ] || { grep -v -e '/SHA256SUMS$' -e '/SHA256SUMS\.sig$' "$work/packages" >"$work/unlisted" && mv "$work/unlisted" "$work/packages"; }
while IFS= read -r file; do
  mkdir -p "$(dirname "$top/packages/$file")"
  ln -s "$packages/$file" "$top/packages/$file"
done <"$work/packages"
if [ -n "$key" ]; then
  (cd "$packages" && sums_of <"$work/packages") >"$work/sums" || fail "a package could not be read"
  mv "$work/sums" "$top/packages/SHA256SUMS"
  sign "$top/packages/SHA256SUMS"
fi

echo "Saving $image ($platform)"
"$engine" save -o "$top/image.tar" "$image" || fail "$engine save failed: is the disk full?"
# The engine writes it for its owner alone; on the other host another user may load it.
chmod 644 "$top/image.tar"
printf '%s\n' "$image" "$platform" "$(($(wc -c <"$top/image.tar")))" >"$top/image.txt"

echo "Packing"
(cd "$top" && find -L . -type f) | sort >"$work/files"
(cd "$top" && sums_of <"$work/files") >"$work/sums" || fail "a file could not be read"
mv "$work/sums" "$top/SHA256SUMS"
[ -z "$key" ] || sign "$top/SHA256SUMS"
# load.sh comes first and the image last: load.sh sees by the image's size that the bundle was cut short.
name=bklite-package-init
set -- "$name/load.sh" "$name/image.txt" "$name/SHA256SUMS"
[ -z "$key" ] || set -- "$@" "$name/SHA256SUMS.sig"
set -- "$@" "$name/compose.init.yml" "$name/LICENSE" "$name/docs" "$name/k8s"
[ ! -d "$top/packages" ] || set -- "$@" "$name/packages"
umask "$mask"
tar -czhf "$work/bundle.tar.gz" -C "$work" "$@" "$name/image.tar" || fail "tar failed; the reason is above"
mv "$work/bundle.tar.gz" "$out"

size=$(($(wc -c <"$out")))
echo "$out: $((size / 1048576)) MiB ($size bytes). On the other host: tar xzf $(basename "$out") && cd bklite-package-init && ./load.sh"
