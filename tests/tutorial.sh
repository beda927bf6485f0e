#!/usr/bin/env bash
# Runs docs/tutorial.md as it stands: one user writes a plugin and passes it on, another one repeats the run.
#
#   tests/tutorial.sh FOLDER-OF-NSHOT EMPTY-FOLDER [HOST-OF-A-REGISTRY]
#
# Without a registry the package goes from file to file, and what is said of the registry is left out.
set -euo pipefail

bin=$(cd "$1" && pwd)
work=$(cd "$2" && pwd)
registry=${3:-}
tutorial=$(cd "$(dirname "$0")/.." && pwd)/docs/tutorial.md

# The commands of the sections from FIRST to LAST, of which LAST itself is none.
commands() { # FIRST LAST
    awk -v first="## $1" -v last="## $2" '
        $0 == first { inside = 1 }
        $0 == last { inside = 0 }
        /^```/ { block = inside && $0 == "```sh"; next }
        block' "$tutorial" | if [ -n "$registry" ]; then
        sed "s#localhost:5000#$registry#"
    else
        sed -e '/^nshot plugin push /d' -e 's#oci://localhost:5000/my-lab/pairs#pairs-0.1.0.nshot#'
    fi
}

mkdir "$work/first" "$work/second" "$work/nothing"
export OMP_WAIT_POLICY=passive
unset XDG_DATA_HOME XDG_CONFIG_HOME DOCKER_CONFIG

# Rust is where it is for the user who runs this.
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
commands 'Write and try' 'On the other side' > "$work/first.sh"
grep -q 'nshot plugin sign' "$work/first.sh"
(cd "$work/first" && HOME=$work/first PATH=$bin:$PATH bash -euxo pipefail "$work/first.sh")

# The other user has three files, no compiler and no program but nshot.
cp "$work/first/pairs/shared.toml" "$work/first/pairs/runs/shared/lock.json" \
    "$work/first/.config/nshot/minisign.pub" "$work/second/"
[ -n "$registry" ] && mv "$work/first/pairs" "$work/first/elsewhere" && pairs=$work/first/elsewhere
commands 'On the other side' 'nothing after it' > "$work/second.sh"
grep -q 'from-lock' "$work/second.sh"
bash=$(command -v bash)
(cd "$work/second" && HOME=$work/second PATH=$bin:$work/nothing "$bash" -euxo pipefail "$work/second.sh")

first=${pairs:-$work/first/pairs}/runs/shared second=$work/second/runs/repeated
for file in metrics.jsonl scores.csv supernets; do
    diff -r "$first/$file" "$second/$file" || { echo "error: $file differs" >&2; exit 1; }
done
test -s "$second/metrics.jsonl"
echo 'the second user has the numbers of the first'
