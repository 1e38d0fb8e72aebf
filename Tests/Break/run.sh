#!/usr/bin/env bash
# Makes each edit of edits.tsv in a clone of what is committed here, and looks whether it is noticed: what the command
# prints before the edit and after it. Experiments run on a few pairs, where a claim "does not hold" as it is tried.
#
#   make break            all of them
#   make break CLAIM=C1   one
set -euo pipefail
root=$(git rev-parse --show-toplevel)
clone=$root/build/break
[ -d "$clone" ] || git clone -q "$root" "$clone"
git -C "$clone" fetch -q origin
commit=$(git -C "$root" rev-parse HEAD)
git -C "$clone" reset -q --hard "$commit"
logs=$clone/build/logs/${commit::12}
mkdir -p "$logs"

# run COMMAND LOG: builds the program as it stands in the clone and keeps what it prints; it may end badly.
run() {
  local program=${1%% *}
  swift build -c release --package-path "$clone" --product "$program" > "$2.build" 2>&1 \
    || { echo "$program does not build; see $2.build"; exit 1; }
  # Words of the command are its arguments.
  # shellcheck disable=SC2086
  (cd "$clone" && TAP_CELLS=build/cells .build/release/$1 > "$2.partial" 2>&1) || true
  mv "$2.partial" "$2"
}

good=0 bad=0
while IFS=$'\t' read -r claim file from to command before after <&3; do
  [ "$claim" = claim ] && continue
  [ -z "${CLAIM:-}" ] || [ "$claim" = "$CLAIM" ] || continue
  unedited=$logs/${command%% *} edited=$logs/$claim
  [ -s "$unedited" ] || run "$command" "$unedited"
  FROM=$from TO=$to perl -0pi -e 's/\Q$ENV{FROM}\E/$ENV{TO}/' "$clone/$file"
  if git -C "$clone" diff --quiet; then
    echo "✘ $claim: $file has no \"$from\""; bad=$((bad + 1)); continue
  fi
  run "$command" "$edited"
  git -C "$clone" checkout -q -- .
  if grep -qF "$before" "$unedited" && ! grep -qF "$after" "$unedited" && grep -qF "$after" "$edited"; then
    echo "✔ $claim: with the edit it says \"$after\""; good=$((good + 1))
  else
    echo "✘ $claim: not from \"$before\" to \"$after\"; see $unedited and $edited"; bad=$((bad + 1))
  fi
done 3< "$root/Tests/Break/edits.tsv"
echo "$good noticed, $bad not"
[ "$good" -gt 0 ] && [ "$bad" -eq 0 ]
