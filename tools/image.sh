#!/bin/sh
# Builds the image, labelled with the commit and the repository that it is built from.
# usage: tools/image.sh [options of docker build], such as -t TAG, --target bundle, --build-arg NAME=VALUE
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)

engine=docker
command -v docker >/dev/null || engine=podman
# A copy of the sources without git has neither; the labels then say "unknown".
if revision=$(git -C "$root" rev-parse HEAD 2>/dev/null); then
  [ -z "$(git -C "$root" status --porcelain)" ] || revision=$revision-dirty
  set -- --build-arg "REVISION=$revision" "$@"
fi
# A label is public: a login in the URL is left out, and so is a remote that is a folder of this machine.
source=$(git -C "$root" remote get-url origin 2>/dev/null | sed 's#^\(https\{0,1\}://\)[^/]*@#\1#; s#^git@\([^:/]*\):#https://\1/#; s#\.git$##') || source=''
case $source in
  http://* | https://*) set -- --build-arg "SOURCE=$source" "$@" ;;
esac
exec "$engine" build "$@" "$root"
