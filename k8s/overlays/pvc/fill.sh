#!/bin/sh
# Copies a folder's files onto the claim through the loader pod: fill.sh FOLDER [kubectl's options, such as -n bk-lite]
# Each file is sent under a name that the job passes over, compared by SHA-256, and then renamed.
set -eu
[ -d "${1:-}" ] || {
  echo "usage: fill.sh FOLDER [kubectl's options, such as -n bk-lite]" >&2
  exit 64
}
folder=$1
shift
pod=bklite-packages-loader
kubectl "$@" wait --for=condition=Ready --timeout=300s "pod/$pod"

# The image has no shell: its node receives the file, and answers with what it has written.
receive='
const { createHash } = require("node:crypto"), { dirname } = require("node:path"), { pipeline } = require("node:stream/promises");
const target = process.argv[1], hash = createHash("sha256");
fs.mkdirSync(dirname(target), { recursive: true });
pipeline(process.stdin, async function* (chunks) { for await (const c of chunks) { hash.update(c); yield c; } },
  fs.createWriteStream(target + ".part")).then(() => console.log(hash.digest("hex")));
'
rename='fs.renameSync(process.argv[1] + ".part", process.argv[1])'

cd "$folder"
find -L . -type f ! -path '*/.*' | sort | while IFS= read -r file; do
  file=${file#./}
  echo "$file"
  have=$(kubectl "$@" exec -i "$pod" -- /usr/local/bin/node -e "$receive" "/packages/$file" <"$file")
  want=$(sha256sum <"$file")
  [ "$have" = "${want%% *}" ] || {
    echo "fill.sh: $file: did not arrive as it is here; run this again" >&2
    exit 1
  }
  kubectl "$@" exec "$pod" -- /usr/local/bin/node -e "$rename" "/packages/$file" </dev/null
done
