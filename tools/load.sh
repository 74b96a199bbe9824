#!/bin/sh
# Checks the files of this bundle and loads the image into Docker. Needs sh, sha256sum and docker; no network.
set -eu
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")"

fail() {
  echo "load.sh: $1" >&2
  exit 1
}

for tool in sha256sum docker; do
  command -v "$tool" >/dev/null || fail "$tool is not installed"
done
[ -r SHA256SUMS ] || fail "SHA256SUMS is missing: unpack the bundle again"

# Line by line and not with -c, which passes over lines that it cannot read.
echo "Checking files"
bad=0
while IFS= read -r line || [ -n "$line" ]; do
  want=${line%%  *}
  file=${line#*  }
  if [ ! -f "$file" ]; then
    echo "load.sh: $file: missing" >&2
    bad=1
    continue
  fi
  have=$(sha256sum <"$file")
  if [ "${have%% *}" = "$want" ]; then
    echo "  $file: OK"
  else
    echo "load.sh: $file: damaged (its SHA-256 is not the one in SHA256SUMS)" >&2
    bad=1
  fi
done <SHA256SUMS
find load.sh image.tar image.txt compose.init.yml packages -type f | {
  while IFS= read -r file; do
    grep -qF "  $file" SHA256SUMS || fail "$file: not listed in SHA256SUMS"
  done
} || bad=1
[ "$bad" = 0 ] || fail "nothing was loaded: copy the bundle again and unpack it into an empty folder"

# The container reads the archives as user 65532, whatever the umask was when they were unpacked.
chmod -R a+rX packages

image=$(cat image.txt)
echo "Loading image $image"
docker load -i image.tar || fail "docker load failed: is Docker running, and may this user use it?"
docker image inspect "$image" >/dev/null || fail "$image is not there after docker load"

cat <<EOF

Done. Next, with Compose, in the folder of BK-Lite's docker-compose.yml:

  export PACKAGE_INIT_IMAGE='$image'
  export PACKAGES_PATH='$PWD/packages'
  docker compose -f docker-compose.yml -f '$PWD/compose.init.yml' up -d

(docker-compose instead of docker compose with Compose 1.29. Or put both variables into the stack's .env.)
With Kubernetes: push the image to your registry, then see k8s/overlays.
EOF
