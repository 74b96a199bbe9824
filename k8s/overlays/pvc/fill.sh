#!/bin/sh
# Copies a folder's files onto the claim through the loader pod, lists what lies there, or deletes from it.
# A file that is there with the same SHA-256 is passed over. Any other is sent under a name that the job ignores, compared
# by SHA-256, and then renamed. Files keep their time: a fresh time would make the job wait for a copy to end.
set -eu
USAGE="usage: fill.sh FOLDER         [kubectl's options, such as -n bk-lite]
       fill.sh --list         [kubectl's options]
       fill.sh --delete NAME  [kubectl's options]"
pod=bklite-packages-loader

fail() {
  # Without the lines of kubectl's own log.
  echo "fill.sh: $(printf '%s\n' "$1" | grep -v '^[EIW][0-9]\{4\} ')" >&2
  exit "${2:-1}"
}

folder='' name=''
case ${1:-} in
  --list) task=list ;;
  --delete)
    [ -n "${2:-}" ] || fail "$USAGE" 64
    task=delete name=$2
    shift
    ;;
  '' | -*) fail "$USAGE" 64 ;;
  *)
    [ -d "$1" ] || fail "$1 is not a folder
$USAGE" 64
    task=send folder=$1
    ;;
esac
shift

# The image has no shell: its node does the work. These words explain an error of the claim.
explain='
function explain({ code, message }) {
  const { bavail, bsize } = fs.statfsSync("/packages");
  const free = `${Math.floor((bavail * bsize) / 1048576)} MiB free`;
  const full = `the claim is full (${free}): delete what is no longer needed (fill.sh --list, fill.sh --delete NAME), or enlarge the claim`;
  const denied = `user ${process.getuid()} cannot write to /packages, which belongs to user ${fs.statSync("/packages").uid}: `
    + `this storage does not apply fsGroup. Have its administrator run chown -R ${process.getuid()} on the folder of the claim`;
  return { ENOSPC: full, EDQUOT: full, EACCES: denied, EPERM: denied, EROFS: "the claim is mounted read-only" }[code] ?? message;
}
'
# Reads to the end whatever happens: kubectl hangs if the receiver ends before the sender.
receive=$explain'
const { createHash } = require("node:crypto"), { dirname } = require("node:path");
const [, target, sha256, time] = process.argv, part = target + ".part", hash = createHash("sha256");
let file, error;
const attempt = (work) => { try { if (!error) work(); } catch (caught) { error = caught; } };
attempt(() => { fs.mkdirSync(dirname(target), { recursive: true }); file = fs.openSync(part, "w"); });
process.stdin.on("data", (chunk) => attempt(() => { hash.update(chunk); fs.writeFileSync(file, chunk); }));
process.stdin.on("error", (caught) => { error ??= caught; });
process.stdin.on("close", () => {
  attempt(() => { fs.fsyncSync(file); fs.closeSync(file); });
  attempt(() => { if (hash.digest("hex") !== sha256) throw new Error("it did not arrive as it is here: run this again"); });
  attempt(() => { fs.utimesSync(part, +time, +time); fs.renameSync(part, target); });
  if (!error) return;
  const words = explain(error);
  try { fs.rmSync(part, { force: true }); } catch {}
  console.error(words);
  process.exitCode = 1;
});
'
# Prints "same" if the file is there with this size and SHA-256, and gives it the time of the source.
compare='
const { createHash } = require("node:crypto");
const [, target, sha256, time, size] = process.argv, hash = createHash("sha256"), block = Buffer.alloc(1 << 20);
try {
  const file = fs.openSync(target), { size: there } = fs.fstatSync(file);
  if (there !== +size) process.exit();
  for (let bytes; (bytes = fs.readSync(file, block)) > 0; ) hash.update(block.subarray(0, bytes));
  if (hash.digest("hex") !== sha256) process.exit();
  console.log("same");
  fs.utimesSync(target, +time, +time);
} catch {}
'
list='
const { join } = require("node:path");
function walk(folder, above) {
  let entries = [];
  try { entries = fs.readdirSync(folder, { withFileTypes: true }); } catch (error) { console.error(`${above}: ${error.message}`); }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name), shown = above + entry.name.replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
    if (entry.isDirectory()) { walk(path, shown + "/"); continue; }
    const { size, mtime } = fs.lstatSync(path);
    console.log(String(size).padStart(12), mtime.toISOString().slice(0, 16).replace("T", " "), shown);
  }
}
walk("/packages", "");
const { bavail, bsize } = fs.statfsSync("/packages");
console.log(`${Math.floor((bavail * bsize) / 1048576)} MiB free`);
'
remove=$explain'
const { resolve } = require("node:path");
const [, name] = process.argv, target = resolve("/packages", name);
try {
  if (!target.startsWith("/packages/")) throw new Error("not a name below the claim");
  fs.lstatSync(target);
  fs.rmSync(target, { recursive: true });
  console.log("deleted", name);
} catch (error) {
  console.error(error.code === "ENOENT" ? "there is no such file: fill.sh --list shows what lies there" : explain(error));
  process.exitCode = 1;
}
'

# Prints phase, its reason, and why the container does not run yet; fails with a sentence if there is no such pod.
loader() {
  state=$(kubectl "$@" get pod "$pod" -o 'jsonpath={.status.phase}|{.status.reason}|{.status.containerStatuses[*].state.waiting.reason}|{.status.containerStatuses[*].ready}' 2>&1) && return
  case $state in
    *NotFound*) fail "$state
there is no loader pod here: kubectl apply -k k8s/overlays/pvc/claim" ;;
  esac
  fail "$state"
}
ended() {
  fail "the loader pod has ended (${1:-unknown reason}; it runs for an hour). Make a new one, then run this again:

  kubectl${2:+ $2} delete pod $pod
  kubectl apply -k k8s/overlays/pvc/claim"
}
# Returns when the loader is ready, at most 300 s later.
await_loader() {
  for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    loader "$@"
    case $state in
      Running*'|true') return ;;
      Succeeded* | Failed*) ended "$(echo "$state" | cut -d '|' -f 2)" "$*" ;;
      *ImagePullBackOff* | *InvalidImageName* | *ErrImageNeverPull* | *CreateContainer*Error*)
        fail "the loader pod cannot start: $(echo "$state" | cut -d '|' -f 3)
kubectl${*:+ $*} describe pod $pod says why" ;;
    esac
    [ "$round" != 1 ] || echo "Waiting for the loader pod"
    kubectl "$@" wait --for=condition=Ready --timeout=15s "pod/$pod" >/dev/null 2>&1 || :
  done
  fail "the loader pod is not ready after 300 s: kubectl${*:+ $*} describe pod $pod says why"
}

await_loader "$@"
case $task in
  list) exec kubectl "$@" exec "$pod" -- /usr/local/bin/node -e "$list" ;;
  delete) exec kubectl "$@" exec "$pod" -- /usr/local/bin/node -e "$remove" "$name" ;;
esac

work=$(mktemp -d)
watcher=''
trap '[ -z "$watcher" ] || kill "$watcher" 2>/dev/null; [ ! -s "$work/pid" ] || kill "$(cat "$work/pid")" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# If the pod itself is ended while a file is on its way, kubectl may hang: this ends kubectl then.
watch() {
  while sleep 5; do
    state=$(kubectl "$@" get pod "$pod" -o 'jsonpath={.status.phase}' 2>&1) || :
    case $state in
      Succeeded | Failed | *NotFound*)
        [ ! -s "$work/pid" ] || kill "$(cat "$work/pid")" 2>/dev/null
        return
        ;;
    esac
  done
}
watch "$@" >/dev/null 2>&1 </dev/null &
watcher=$!

cd "$folder"
newline='
'
case $(find -L . -name "*$newline*" -print) in ?*) fail "a file's name has a line break: rename it" 65 ;; esac
# Hidden and half-copied files stay here: the job ignores them, too.
find -L . -type f ! -path '*/.*' ! -name '*.part' ! -name '*.tmp' | sort >"$work/files"
[ -s "$work/files" ] || fail "$folder holds no file to copy" 66

sum() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi
}
sent=0 passed=0
while IFS= read -r file; do
  file=${file#./}
  sha256=$(sum <"$file")
  sha256=${sha256%% *}
  size=$(($(wc -c <"$file")))
  # GNU's stat, else BSD's.
  time=$(stat -L -c %Y -- "$file" 2>/dev/null || stat -L -f %m -- "$file")
  there=$(kubectl "$@" exec "$pod" -- /usr/local/bin/node -e "$compare" "/packages/$file" "$sha256" "$time" "$size" </dev/null) || :
  if [ "$there" = same ]; then
    echo "$file: there already"
    passed=$((passed + 1))
    continue
  fi
  echo "$file: $((size / 1048576)) MiB"
  kubectl "$@" exec -i "$pod" -- /usr/local/bin/node -e "$receive" "/packages/$file" "$sha256" "$time" <"$file" 2>"$work/words" &
  echo $! >"$work/pid"
  code=0
  wait $! || code=$?
  : >"$work/pid"
  if [ "$code" != 0 ]; then
    loader "$@"
    case $state in Succeeded* | Failed*) ended "while $file was on its way" "$*" ;; esac
    # kubectl adds a line of its own about the exit code.
    fail "$file: $(grep -v '^command terminated with exit code' "$work/words" || echo "kubectl exec ended with exit code $code")"
  fi
  sent=$((sent + 1))
done <"$work/files"
echo "$sent copied, $passed there already"
