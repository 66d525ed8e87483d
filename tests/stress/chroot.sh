# shellcheck shell=bash disable=SC2034
# chroot.sh: what the scripts share that make chroots of Debian 12.  They source it, with their own arguments.
#
# top is the source tree, dir the directory of the argument or a temporary one, and kept is not empty if dir is to stay.
# MIRROR is taken from the environment, else it is the first of apt's own sources.
set -u
[ "$(id -u)" = 0 ] || { echo "${0##*/}: it makes a chroot, which needs root" >&2; exit 2; }
# shellcheck disable=SC2016 # $(SITE) is apt's
MIRROR=${MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | head -n 1)}
[ "$MIRROR" ] || { echo "${0##*/}: apt has no source: set MIRROR" >&2; exit 2; }
top=$(cd "$(dirname "$0")/../.." && pwd)
dir=${1:-$(mktemp -d)}
mkdir -p "$dir" && dir=$(cd "$dir" && pwd) || exit 2
kept=${1:+yes}
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C
unset UNCLIP_MODEL XDG_CACHE_HOME HOME MAKEFLAGS MAKELEVEL MFLAGS

passed=0 failed=0
# ok NAME COMMAND...: the output is kept in the file $log, and its end is shown when the command fails
ok() {
    local name=$1 status=0

    shift
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if [ $status = 0 ]; then
        passed=$((passed + 1))
        echo "ok - $name"
    else
        failed=$((failed + 1))
        echo "not ok - $name (status $status)"
        tail -n 30 "$log" | cut -c1-200 | sed 's/^/# /'
    fi
    return $status
}
finish() {
    echo "$passed passed, $failed failed"
    [ $failed = 0 ]
    exit
}
