#!/bin/sh
# Waits until the Job has ended, shows its newest pod's log, and says how it ended: wait.sh [kubectl's options, such as -n bk-lite]
# Exits 0 if the Job succeeded, with the job's own exit code if it failed, and with 1 if it cannot start: immediately if
# there is no Job, after half a minute if there is no image or a key is missing.
set -eu
job=bklite-package-init

fail() {
  # Without the lines of kubectl's own log.
  echo "wait.sh: $(printf '%s\n' "$1" | grep -v '^[EIW][0-9]\{4\} ')" >&2
  exit "${2:-1}"
}

# One line a JSON line: time, level, sentence. Lines that are no JSON stay as they are.
readable() {
  LC_ALL=C awk '
    function text(key,    rest) {
      if (!index($0, "\"" key "\":\"")) return ""
      rest = substr($0, index($0, "\"" key "\":\"") + length(key) + 4)
      if (!match(rest, /^([^"\\]|\\.)*"/)) return ""
      rest = substr(rest, 1, RLENGTH - 1)
      gsub(/\\\\/, "\001", rest)
      gsub(/\\"/, "\"", rest)
      gsub(/\\n/, "\n    ", rest)
      gsub(/\\t/, "\t", rest)
      gsub(/\001/, "\\", rest)
      return rest
    }
    /^\{.*"msg":"/ { printf "%sZ %-5s %s\n", substr(text("time"), 12, 8), text("level"), text("msg"); next }
    { print }
  '
}

# The job's own label: pods of the component `verify` are not meant.
newest_pod() {
  kubectl "$@" get pods -l "job-name=$job" --sort-by=.metadata.creationTimestamp -o \
    'jsonpath={range .items[*]}{.metadata.name}|{.status.phase}|{.status.containerStatuses[*].state.waiting.reason}|{.status.containerStatuses[*].state.terminated.exitCode}{"\n"}{end}' |
    tail -n 1
}

show_log() {
  [ -n "$pod" ] || return 0
  log=$(kubectl "$@" logs "$pod" --tail=20 2>&1) || log="(no log of $pod: $log)"
  printf '%s\n' "$log" | readable
}

# The newest warning about an object: why a pod is not scheduled, a volume not mounted, a pod not made.
warning() {
  object=$1
  shift
  kubectl "$@" get events --field-selector "involvedObject.name=$object,type=Warning" \
    --sort-by=.metadata.creationTimestamp -o 'jsonpath={range .items[*]}{.reason}: {.message}{"\n"}{end}' 2>/dev/null | tail -n 1
}

seen='' shown='' stuck=0 misses=0
while :; do
  if ! conditions=$(kubectl "$@" get job "$job" -o \
    'jsonpath={range .status.conditions[?(@.status=="True")]}{.type}|{.reason}: {.message}{"\n"}{end}' 2>&1); then
    case $conditions in
      *NotFound*)
        [ -z "$seen" ] || fail "the Job was deleted while this waited for it"
        fail "$conditions
There is no Job $job in this namespace.
- It was not applied yet: kubectl apply -k k8s/overlays/pvc (or your own overlay)
- It is in another namespace: wait.sh -n NAMESPACE
- It ended more than a day ago, and the cluster removed it (ttlSecondsAfterFinished): apply it again. If everything is in place, it changes nothing"
        ;;
    esac
    # The API server may restart.
    misses=$((misses + 1))
    [ "$misses" -lt 3 ] || fail "$conditions"
    sleep 5
    continue
  fi
  seen=yes misses=0
  newest=$(newest_pod "$@") || newest=''
  IFS='|' read -r pod phase reason code <<EOF
$newest
EOF
  case "
$conditions" in
    *'
Complete|'*)
      show_log "$@"
      echo "wait.sh: the Job succeeded"
      exit 0
      ;;
    *'
Failed|'*)
      show_log "$@"
      # A pod of several: the exit code counts only if the newest one failed.
      case $code in '' | 0 | *[!0-9]*) code=1 ;; esac
      fail "the Job failed: $(printf '%s\n' "$conditions" | sed -n 's/^Failed|//p')" "$code"
      ;;
  esac

  case $reason in
    ErrImagePull) reason=ImagePullBackOff ;;
    CreateContainerConfigError | CreateContainerError | ImagePullBackOff | InvalidImageName | ErrImageNeverPull) ;;
    *) reason='' ;;
  esac
  # A Secret that is applied a moment later is no failure: the kubelet tries again every ten seconds or so.
  if [ -n "$reason" ]; then stuck=$((stuck + 1)); else stuck=0; fi
  if [ "$stuck" -gt 6 ]; then
    words=$(kubectl "$@" get pod "$pod" -o 'jsonpath={.status.containerStatuses[*].state.waiting.message}' 2>/dev/null) || words=''
    case $reason in
      CreateContainer*) remedy="create Secret and settings as docs/kubernetes.md has it (\"Settings and Secret\"); the pod then starts by itself" ;;
      *) remedy="correct registry and tag (images/kustomization.yaml of the overlay) or imagePullSecrets, delete the Job, and apply it again" ;;
    esac
    fail "pod $pod cannot start: $reason: $words
$remedy"
  fi

  if [ -z "$pod" ]; then
    now="no pod yet${conditions:+ ($conditions)}: $(warning "$job" "$@")"
  elif [ "$phase" = Pending ]; then
    now="pod $pod: Pending: ${reason:-$(warning "$pod" "$@")}"
  else
    now="pod $pod: $phase: $(kubectl "$@" logs "$pod" --tail=1 2>/dev/null | readable)"
  fi
  [ "$now" = "$shown" ] || printf '%s\n' "$now"
  shown=$now
  sleep 5
done
