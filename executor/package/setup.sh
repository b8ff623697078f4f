# What the system must bring, and how it gets here. Sourced by the front command, which sets root, build_root and stamp.
# shellcheck shell=bash disable=SC2154

# need | probe | Debian | Fedora | Arch | Homebrew | what it is for ("-": no package there)
packages=(
    "required|cc c++ @stdlib.h|build-essential|gcc gcc-c++ make|base-devel|gcc|the build"
    "required|cmake|cmake|cmake|cmake|cmake|the build"
    "required|ninja|ninja-build|ninja-build|ninja|ninja|the build"
    "required|pkg-config|pkg-config|pkgconf-pkg-config|pkgconf|pkg-config|the build"
    "required|@urcu-qsbr.h|liburcu-dev|userspace-rcu-devel|liburcu|liburcu|memory reclamation"
    "required|@ck_ring.h|libck-dev|ck-devel|-|concurrencykit|the queues gq_ck_*"
    "required|%scipy %matplotlib %jinja2 %jsonschema|python3 python3-scipy python3-matplotlib python3-jinja2 \
python3-jsonschema|python3 python3-scipy python3-matplotlib python3-jinja2 python3-jsonschema|python python-scipy \
python-matplotlib python-jinja python-jsonschema|scipy python-matplotlib|statistics, report"
    "optional|@liburing.h|liburing-dev|liburing-devel|liburing|-|the reactors rx_uring*"
    "optional|clang|clang|clang|clang|llvm|the second compiler: its half of test_warnings"
    "optional|@benchmark/benchmark.h|libbenchmark-dev|google-benchmark-devel|benchmark|google-benchmark|bench micro"
    "optional|@concurrentqueue/concurrentqueue.h|libconcurrentqueue-dev|-|-|-|bench micro's peer moodycamel"
    "optional|@boost/lockfree/queue.hpp|libboost-dev|boost-devel|boost|boost|bench micro's peer Boost.Lockfree"
    "optional|@tbb/concurrent_queue.h|libtbb-dev|tbb-devel|onetbb|tbb|bench micro's peer oneTBB"
    "optional|@cds/init.h|libcds-dev|-|-|-|bench micro's peer libcds"
    "optional|@curl/curl.h|libcurl4-openssl-dev|libcurl-devel|curl|curl|the example fetch"
    "optional|@cjson/cJSON.h|libcjson-dev|cjson-devel|cjson|cjson|the example fetch"
    "optional|@http_parser.h|libhttp-parser-dev|http-parser-devel|http-parser|http-parser|the example httpd, HTTP load"
    "optional|@nettle/sha1.h|nettle-dev|nettle-devel|nettle|nettle|the UTS workloads"
    "optional|@uv.h|libuv1-dev|libuv-devel|libuv|libuv|the reactor rx_uv, the peer libuv"
    "optional|@kqueue/sys/event.h|-|-|-|-|the reactor rx_kqueue (libkqueue 2.7: https://github.com/mheily/libkqueue)"
    "optional|@event2/event.h|libevent-dev|libevent-devel|libevent|libevent|the peer libevent"
    "optional|nginx|nginx-light|nginx|nginx|nginx|the peer nginx, the test of fetch against a real server"
    "optional|wrk|wrk|wrk|wrk|wrk|HTTP load: its workload and its tests"
    "optional|curl|curl|curl|curl|curl|the tests of httpd"
    "optional|valgrind|valgrind|valgrind|valgrind|-|instruction counts, the test of echo under it"
    "optional|strace|strace|strace|strace|-|counts of system calls"
    "optional|ps|procps|procps-ng|procps-ng|-|tests that look at processes"
    "optional|cargo|-|-|-|-|the Rust peers (a current Rust from https://rustup.rs)"
    "optional|go|golang-go|golang|go|go|the Go peer"
)
setup_key="${packages[*]} $PATH"

# The Python that has the libraries; the first on PATH is often another than the distribution's.
find_python() {
    local candidate
    for candidate in /usr/bin/python3 python3; do
        if "$candidate" -c 'import importlib.util as u, sys
sys.exit(not all(map(u.find_spec, ("scipy", "matplotlib", "jinja2", "jsonschema"))))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# A probe is a list of commands, @headers and %Python-modules.
is_present() {
    local item
    for item in $1; do
        case $item in
        @*) echo "#include <${item#@}>" | cc -E -x c++ - >/dev/null 2>&1 || return 1 ;;
        %*) [[ -n $python ]] || return 1 ;;
        *) PATH=$PATH:/usr/sbin:/sbin command -v "$item" >/dev/null || return 1 ;;
        esac
    done
}

# Sets python, and missing_required and missing_optional to rows of the table.
probe_all() {
    local row need probe
    python=$(find_python) || python=
    missing_required=()
    missing_optional=()
    for row in "${packages[@]}"; do
        IFS='|' read -r need probe _ <<<"$row"
        if is_present "$probe"; then
            continue
        elif [[ $need == required ]]; then
            missing_required+=("$row")
        else
            missing_optional+=("$row")
        fi
    done
}

# package_names <column> <row>...: the names in that column of the table, on one line.
package_names() {
    local column=$1 row names=()
    shift
    for row in "$@"; do
        IFS='|' read -r -a fields <<<"$row"
        [[ ${fields[column]} == - ]] || names+=("${fields[column]}")
    done
    echo "${names[*]-}"
}

# Prints the command that would install the given rows here.
install_command() {
    if command -v apt-get >/dev/null; then
        echo "apt-get install -y $(package_names 2 "$@")"
    elif command -v dnf >/dev/null; then
        echo "dnf install $(package_names 3 "$@")"
    elif command -v pacman >/dev/null; then
        echo "pacman -S $(package_names 4 "$@")"
    elif command -v brew >/dev/null; then
        echo "brew install $(package_names 5 "$@")"
    else
        echo "(by this system's package manager; Debian's names:) $(package_names 2 "$@")"
    fi
}

as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    elif [[ -t 0 ]]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

# apt_install <package>...: once with the lists as they are, and if that fails once more with fresh ones.
apt_install() {
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0)
    say "installing $*"
    # A new container has no lists at all.
    if compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null; then
        as_root "${apt[@]}" install -y --no-install-recommends "$@" </dev/null >&2 && return
        say "once more, with fresh package lists"
    fi
    as_root "${apt[@]}" update </dev/null >&2 || true
    as_root "${apt[@]}" install -y --no-install-recommends "$@" </dev/null >&2
}

# Installs missing rows where that can be done: with apt, by root or sudo.
install_rows() {
    local names row
    names=$(package_names 2 "$@")
    command -v apt-get >/dev/null && [[ -n $names ]] || return 0
    [[ $EUID -eq 0 ]] || command -v sudo >/dev/null || return 0
    # shellcheck disable=SC2086 # a list of names
    apt_install $names && return
    # One package that this release does not have must not keep the others out.
    for row in "$@"; do
        names=$(package_names 2 "$row")
        # shellcheck disable=SC2086
        [[ -z $names ]] || apt_install $names || say "could not install $names"
    done
}

tell_missing() {
    local row
    for row in ${missing_optional[@]+"${missing_optional[@]}"}; do
        IFS='|' read -r -a fields <<<"$row"
        say "not installed: ${fields[1]//@/}; switched off: ${fields[6]}"
    done
    if [[ ${#missing_optional[@]} -gt 0 && -n $(package_names 2 "${missing_optional[@]}") ]]; then
        say "to switch it on, as root: $(install_command "${missing_optional[@]}")"
    fi
    for row in ${missing_required[@]+"${missing_required[@]}"}; do
        IFS='|' read -r -a fields <<<"$row"
        say "required and missing: ${fields[1]//[@%]/}; needed for: ${fields[6]}"
    done
    if [[ ${#missing_required[@]} -gt 0 ]]; then
        say "to install it, as root: $(install_command "${missing_required[@]}")"
    fi
}

# setup_now <all|required>: optional packages are worth asking for root only when that was asked for.
setup_now() {
    probe_all
    local want=(${missing_required[@]+"${missing_required[@]}"})
    if [[ $1 == all || $EUID -eq 0 || ${#want[@]} -gt 0 ]]; then
        want+=(${missing_optional[@]+"${missing_optional[@]}"})
    fi
    if [[ ${#want[@]} -gt 0 ]]; then
        install_rows "${want[@]}"
        if [[ ${want[*]} == *nginx* && -d /run/systemd/system ]] && systemctl is-active -q nginx; then
            say "the package of nginx has started a server on port 80; not needed here: systemctl disable --now nginx"
        fi
        hash -r
        probe_all
    fi
    tell_missing
    [[ ${#missing_required[@]} -eq 0 ]] || exit 1
    mkdir -p "$build_root"
    printf '%s\n%s\n' "$python" "$setup_key" >"$stamp.tmp"
    mv "$stamp.tmp" "$stamp"
}

# Starts at once where nothing changed since the last look: same table, same PATH, no package installed or removed.
ensure_setup() {
    local saved=
    if [[ -f $stamp && ! /var/lib/dpkg/status -nt $stamp ]]; then
        {
            read -r python || true
            IFS= read -r -d '' saved || true
        } <"$stamp"
        [[ $saved != "$setup_key"$'\n' ]] || return 0
    fi
    setup_now required
}

