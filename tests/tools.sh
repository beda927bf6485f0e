#!/usr/bin/env bash
# Provides what some tests talk to, in target/test-tools, without root: `docker-registry` and `minisign` from the packages
# of Debian or Ubuntu, and a Python with ONNX Runtime, by pip. Prints the variables that name them, for `eval`. Where one
# cannot be had that is said, and its tests skip.
set -uo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/target/test-tools

# apt with lists and cache of our own.
fetch() { # PACKAGE…
    mkdir -p "$tools/apt/lists/partial" "$tools/apt/cache/archives/partial" "$tools/debs"
    local apt=(apt-get -qq -o "Dir::State::lists=$tools/apt/lists" -o "Dir::Cache=$tools/apt/cache" -o APT::Sandbox::User=)
    if ! (cd "$tools/debs" && "${apt[@]}" download "$@" 2>/dev/null); then
        "${apt[@]}" update && (cd "$tools/debs" && "${apt[@]}" download "$@")
    fi || return 1
    for package in "$@"; do
        dpkg-deb -x "$tools/debs/$package"_*.deb "$tools/root" || return 1
    done
}

provide() { # PROGRAM VARIABLE PACKAGE…
    local program=$1 variable=$2
    shift 2
    if [ -n "${!variable:-}" ] || command -v "$program" >/dev/null; then
        return
    fi
    local found=$tools/root/usr/bin/$program
    if [ ! -x "$found" ] && ! { command -v apt-get && command -v dpkg-deb && fetch "$@"; } >/dev/null; then
        echo "there is no \`$program\`, and it cannot be fetched: the tests that need it skip" >&2
        return
    fi
    # Its libraries lie beside it.
    local start=$tools/$program
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s/usr/lib/%s exec %s "$@"\n' "$tools/root" "$(uname -m)-linux-gnu" "$found" > "$start"
    chmod +x "$start"
    echo "export $variable=$start"
}

# Packages in a folder of their own: no virtual environment, which not every Python can make.
provide_python() { # PACKAGE…
    local folder=$tools/python start=$tools/python-with-packages
    if [ -n "${NSHOT_EXPORT_PYTHON:-}" ]; then
        return
    fi
    if [ ! -x "$start" ]; then
        if ! PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --target "$folder" "$@" >&2; then
            rm -rf "$folder"
            echo "pip cannot install $*: the tests that need them skip" >&2
            return
        fi
        printf '#!/bin/sh\nPYTHONPATH=%s exec python3 "$@"\n' "$folder" > "$start"
        chmod +x "$start"
    fi
    echo "export NSHOT_EXPORT_PYTHON=$start"
}

provide docker-registry NSHOT_TEST_REGISTRY docker-registry
provide minisign NSHOT_TEST_MINISIGN minisign libsodium23
provide_python numpy onnx onnxruntime safetensors
