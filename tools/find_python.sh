#!/bin/sh
# Print the path of a Python that can run pymc_ebm; on failure print one line, what is wrong and what to do.
# PYTHON=/path/to/python skips the search. Preferred: 3.13 (.python-version), then 3.14, then 3.12.

wanted="3.13 3.14 3.12"

# A candidate counts only if it runs: a pyenv shim may stand for a version that is not installed. It must be able to
# make a venv with pip, and free-threaded builds are out, as numba has none.
path_if_good() {
    "$1" -c '
import ensurepip, sys, sysconfig, venv
good = (3, 12) <= sys.version_info < (3, 15) and not sysconfig.get_config_var("Py_GIL_DISABLED")
print(sys.executable) if good else sys.exit(1)
' 2>/dev/null
}

candidates() {
    for version in $wanted; do
        command -v uv >/dev/null && uv python find --system --no-project "$version"
        for python in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version"*/bin/python; do
            [ -x "$python" ] && echo "$python"
        done
        command -v "python$version"
    done
    command -v python3
    command -v python
}

if [ -n "$PYTHON" ]; then
    path_if_good "$PYTHON" && exit
    found="PYTHON=$PYTHON is not one of them or cannot make a venv"
else
    while read -r python; do
        path_if_good "$python" && exit
    done <<EOF
$(candidates 2>/dev/null)
EOF
    found=$(python3 --version 2>/dev/null) && found="only $found was found" || found="none was found"
fi
echo "pymc_ebm needs Python 3.12, 3.13 or 3.14, but $found: install one (pyenv install 3.13, or uv python install 3.13)" \
    "or name one with PYTHON=/path/to/python" >&2
exit 1
