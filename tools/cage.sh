# Everything read-only, what must not be seen covered, a small scratch folder, and no rights left.
# cage.sh SCRATCH MEGABYTES COMPILED COVERED... -- COMMAND...
set -eu
scratch=$1 megabytes=$2 compiled=$3
shift 3
while read -r _ where _; do
    where=$(printf %b "$where") # a space is \040 there
    mount -o remount,bind,ro "$where" 2>/dev/null ||
        mount -o remount,bind,ro,nosuid,nodev,noexec "$where" 2>/dev/null || true
done </proc/self/mounts
mount -t tmpfs -o size="${megabytes}m" none "$scratch"
[ -z "$compiled" ] || cp -R "$compiled" "$scratch/.numba"
while [ "$1" != -- ]; do
    [ ! -d "$1" ] || mount -t tmpfs -o ro,size=4k none "$1" # unless it lies in one before it
    shift
done
shift
mount -t tmpfs -o size="${megabytes}m" none /dev/shm
cd "$scratch"
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
