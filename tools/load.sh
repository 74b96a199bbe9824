#!/bin/sh
# Checks the files of this bundle, loads its image, and sets up the stack. No network is needed.
# Needs a POSIX shell, sha256sum, and docker or podman.
set -eu
LC_ALL=C
export LC_ALL

USAGE="usage: ./load.sh [--stack DIR] [--verify KEYS]
  --stack   folder of BK-Lite's docker-compose.yaml: compose.init.yml is copied there and .env gets the lines for it
  --verify  file with the public keys, from another place than this bundle: both lists of checksums must be signed by one
            of them. This script comes out of the same bundle: verify by hand first, as docs/signing.md says"

fail() {
  echo "load.sh: $1" >&2
  exit 1
}

stack='' keys=''
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      echo "$USAGE"
      exit 0
      ;;
    --stack | --verify) [ -n "${2:-}" ] || fail "$1 needs a value
$USAGE" ;;
    *) fail "$USAGE" ;;
  esac
  case $1 in
    --stack) stack=$(cd "$2" 2>/dev/null && pwd) || fail "--stack: $2 is not a folder" ;;
    --verify)
      [ -f "$2" ] && [ -r "$2" ] || fail "--verify: $2 is not a file that this user can read"
      keys=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
      command -v ssh-keygen >/dev/null || fail "--verify needs ssh-keygen: install OpenSSH's client (8.2 or later)"
      ;;
  esac
  shift 2
done
cd "$(dirname "$0")"
here=$(pwd)
case $here in
  *[\'\"\$\`\\]*) fail "the path $here has a quote, a dollar sign or a backslash, which .env files do not carry: unpack the bundle elsewhere" ;;
esac

# The stack's own file, and the override that Compose reads by itself only while COMPOSE_FILE is not set.
compose_files=''
if [ -n "$stack" ]; then
  for name in compose.yaml compose.yml docker-compose.yaml docker-compose.yml; do
    [ -f "$stack/$name" ] || continue
    compose_files=$name
    for override in "${name%.*}.override.yaml" "${name%.*}.override.yml"; do
      [ -f "$stack/$override" ] && compose_files=$compose_files:$override && break
    done
    break
  done
  [ -n "$compose_files" ] || fail "--stack: $stack has no docker-compose.yaml"
fi

command -v sha256sum >/dev/null || fail "sha256sum is not installed"
image='' platform='' bytes=''
[ ! -r image.txt ] || {
  read -r image
  read -r platform
  read -r bytes
} <image.txt || true
# The image is the bundle's last file: a bundle that was cut short lacks it, or a part of it.
there=0
if [ -r image.tar ]; then
  there=$(($(wc -c <image.tar)))
elif [ -f image.tar ]; then
  there=${bytes:-1} # The comparison below says that it cannot be read.
fi
if [ ! -f SHA256SUMS ] || [ "$there" -lt "${bytes:-1}" ]; then
  fail "the bundle was cut short while it was copied or unpacked: image.tar has $there of ${bytes:-unknown} bytes
compare the .tar.gz file's size with the source's, see that this disk is not full, copy it again, and unpack it into an empty folder"
fi

# Verifies the signature of a list of checksums.
verify() {
  [ -f "$1" ] && [ -f "$1.sig" ] || fail "$1 is not signed: pack the bundle with bundle.sh --sign KEY. Nothing was loaded"
  signer=$(ssh-keygen -Y find-principals -s "$1.sig" -f "$signers" 2>&1 | head -n 1)
  ssh-keygen -Y verify -f "$signers" -I "$signer" -n bklite-package -s "$1.sig" <"$1" ||
    fail "$1: its signature is not by a key of $keys, or the list was changed: do not use this bundle. Nothing was loaded"
}

if [ -n "$keys" ]; then
  case $keys in "$here"/*) fail "--verify: $keys lies in the bundle, where whoever changes the bundle can change it too" ;; esac
  echo "Verifying signatures"
  signers=$(mktemp)
  # ssh-keygen wants a principal before each key, which a .pub file does not have.
  sed -E 's/^(ssh-|ecdsa-|sk-)/release \1/' "$keys" >"$signers"
  for list in SHA256SUMS packages/SHA256SUMS; do
    (verify "$list") || {
      rm -f "$signers"
      exit 1
    }
  done
  rm -f "$signers"
fi

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
  if [ ! -r "$file" ]; then
    echo "load.sh: $file: this user cannot read it: unpack the bundle as this user, or have its owner run chmod -R a+rX ." >&2
    bad=1
    continue
  fi
  have=$(sha256sum <"$file")
  if [ "${have%% *}" != "$want" ]; then
    echo "load.sh: $file: damaged (its SHA-256 is not the one in SHA256SUMS)" >&2
    bad=1
  fi
done <SHA256SUMS
# A bundle has no links: tar followed them.
find . ! -type d ! -path ./SHA256SUMS ! -path ./SHA256SUMS.sig | {
  while IFS= read -r file; do
    [ ! -L "$file" ] && sed 's/^[^ ]*  //' SHA256SUMS | grep -qxF -- "${file#./}" || fail "${file#./}: not listed in SHA256SUMS"
  done
} || bad=1
[ "$bad" = 0 ] || fail "nothing was loaded: copy the bundle again and unpack it into an empty folder"

# Missing, not answering, and not permitted are different troubles: the engine's own words say which.
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

case $engine in
  docker)
    arch=$(docker version --format '{{.Server.Arch}}')
    store=$(docker info --format '{{.DockerRootDir}}')
    ;;
  podman)
    arch=$(podman info --format '{{.Host.Arch}}')
    store=$(podman info --format '{{.Store.GraphRoot}}')
    ;;
esac
[ "${platform#*/}" = "$arch" ] ||
  fail "the image is for $platform, this host is linux/$arch: make a bundle with an image for linux/$arch"

# Loading holds the image twice for a while. A store that is not on this machine cannot be measured from here.
need=$(($(wc -c <image.tar) * 2 / 1024))
if [ -d "$store" ]; then
  # Filesystem, blocks, used, available, in blocks of 1 KiB.
  # shellcheck disable=SC2046
  set -- $(df -Pk "$store" | tail -n 1)
  [ "$4" -ge "$need" ] || fail "$store has $(($4 / 1024)) MiB free, loading the image needs $((need / 1024)) MiB"
fi

echo "Loading image $image"
"$engine" load -i image.tar || fail "$engine load failed; its words are above"
"$engine" image inspect "$image" >/dev/null || fail "$image is not there after $engine load"

# The container reads the archives as user 65532, whatever the umask was when they were unpacked.
chmod -R a+rX packages

# A line of .env in every form that Compose takes: after blanks, `export`, or the byte order mark of an editor.
start="^($(printf '\357\273\277'))?[[:space:]]*(export[[:space:]]+)?"

# Prints the value of NAME, or fails where it takes more to read than quotes and a comment: escapes, variables, several lines.
value_of() {
  text=$(grep -E "$start$1[[:space:]]*[=:]" "$env_new" | tail -n 1 | tr -d '\r')
  [ -n "$text" ] || return 0
  case ${text%%=*} in *:*) return 1 ;; esac
  value=$(printf '%s\n' "${text#*=}" | sed 's/[[:space:]]#.*//; s/^[[:space:]]*//; s/[[:space:]]*$//')
  case $value in \'*\' | \"*\") value=${value#?} value=${value%?} ;; esac
  case $value in *[\'\"\$\`\\#]*) return 1 ;; esac
  printf '%s\n' "$value"
}

# Sets NAME=value in the new .env: in place of the lines that are there.
set_line() {
  case $2 in
    *[!A-Za-z0-9_./:@+-]*) value="'$2'" ;;
    *) value=$2 ;;
  esac
  grep -vE "$start$1[[:space:]]*[=:]" "$env_new" >"$env_new.1" || true
  printf '%s\n' "$1=$value" >>"$env_new.1"
  mv "$env_new.1" "$env_new"
}

# Adds compose.init.yml to COMPOSE_FILE, or fails if it is not there and its line, or the separator's, cannot be read.
name_init_file() {
  if ! given=$(value_of COMPOSE_FILE) || ! separator=$(value_of COMPOSE_PATH_SEPARATOR); then
    sed 's/[[:space:]]#.*//' "$env_new" | grep -qE "${start}COMPOSE_FILE[[:space:]]*=.*[^A-Za-z0-9_.-]compose\.init\.yml[\"']?[[:space:]]*\$"
    return
  fi
  case ${separator:=:} in : | ';' | ,) ;; *) return 1 ;; esac
  case $separator$given$separator in
    *"$separator"compose.init.yml"$separator"* | *"$separator"./compose.init.yml"$separator"*) return ;;
  esac
  [ -n "$given" ] || given=$(printf '%s\n' "$compose_files" | tr : "$separator")
  set_line COMPOSE_FILE "$given${separator}compose.init.yml"
}

if [ -n "$stack" ]; then
  cp compose.init.yml "$stack/compose.init.yml"
  env_file=$stack/.env
  env_new=$(mktemp)
  trap 'rm -f "$env_new" "$env_new.1"' EXIT
  [ ! -f "$env_file" ] || {
    # The first backup is the file as it was before this script: later runs keep it.
    [ -e "$env_file.before-package-init" ] || cp -p "$env_file" "$env_file.before-package-init"
    cat "$env_file" >"$env_new"
    # A last line without its end would swallow the next one.
    [ -z "$(tail -c 1 "$env_new")" ] || echo >>"$env_new"
  }
  named=yes
  name_init_file || named=no
  set_line PACKAGE_INIT_IMAGE "$image"
  set_line PACKAGES_PATH "$here/packages"
  # Not renamed over: owner, mode and links of the stack's file stay.
  cat "$env_new" >"$env_file"
  [ "$named" = yes ] || fail "the image is loaded, and one thing is left to do: COMPOSE_FILE or COMPOSE_PATH_SEPARATOR in $env_file
is written in a way that this script does not read. Add compose.init.yml there as the last file. With a plain line that is:

  COMPOSE_FILE=$compose_files:compose.init.yml

Then, in $stack: docker compose up -d"
  [ -z "${COMPOSE_FILE:-}" ] || echo "load.sh: COMPOSE_FILE is set in this shell, which overrules .env: unset COMPOSE_FILE" >&2
  cat <<EOF

Done: $stack has compose.init.yml, and its .env names file, image and packages. BK-Lite's bootstrap writes .env
again at every run, without these lines: run load.sh again after it (docs/official-bundle.md). Next:

  cd '$stack'
EOF
else
  cat <<EOF

Done. Next, with Compose: run this again with --stack and the folder of BK-Lite's docker-compose.yaml, or copy
compose.init.yml there and put these lines into its .env:

  COMPOSE_FILE=docker-compose.yaml:compose.init.yml
  PACKAGE_INIT_IMAGE=$image
  PACKAGES_PATH='$here/packages'

Then, in that folder:

EOF
fi
cat <<EOF
  docker compose run --rm package-init plan   # where the stack is running already: what would be done?
  docker compose up -d
  docker compose logs package-init

(docker-compose in place of docker compose with Compose 1.29.) With Kubernetes: push the image to your registry, then
docs/kubernetes.md. What went wrong: docs/troubleshooting.md.
EOF
