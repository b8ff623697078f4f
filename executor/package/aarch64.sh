# The other machine: what `./stealyard test aarch64` needs. Sourced by the front command after setup.sh; Debian and its
# kin only. The libraries come as the distribution's packages for arm64, unpacked beside the build: nothing of the
# system is told of another architecture.
# shellcheck shell=bash disable=SC2154

aarch64_tools=(aarch64-linux-gnu-gcc aarch64-linux-gnu-g++ qemu-aarch64)
aarch64_packages=(gcc-aarch64-linux-gnu g++-aarch64-linux-gnu qemu-user)
aarch64_libraries=(liburcu8 liburcu-dev libck-dev)

# Prints what is missing, in words; nothing if all is there.
aarch64_missing() {
    local tool missing=()
    for tool in "${aarch64_tools[@]}"; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [[ -f $build_root/aarch64/root/complete ]] || missing+=("the libraries ${aarch64_libraries[*]} for arm64")
    [[ ${#missing[@]} -eq 0 ]] || echo "${missing[*]}"
}

# Downloads the libraries into build/aarch64/root, with package lists of its own.
aarch64_fetch_libraries() {
    local dir=$build_root/aarch64 package apt
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    rm -rf "$dir/root" "$dir/apt"
    mkdir -p "$dir/root" "$dir/apt/lists/partial" "$dir/apt/archives/partial"
    apt=(apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=
        -o "Dir::State::lists=$dir/apt/lists" -o "Dir::Cache=$dir/apt" -o Dir::State::status=/dev/null)
    say "downloading ${aarch64_libraries[*]} for arm64"
    "${apt[@]}" update </dev/null >&2 &&
        (cd "$dir/apt" && "${apt[@]}" download "${aarch64_libraries[@]}") >&2 || return 1
    for package in "$dir"/apt/*_arm64.deb; do
        dpkg-deb -x "$package" "$dir/root" || return 1
    done
    rm -rf "$dir/apt"
    touch "$dir/root/complete"
}

setup_aarch64() {
    local missing
    if [[ $(command -v "${aarch64_tools[@]}" | wc -l) -lt ${#aarch64_tools[@]} ]]; then
        apt_install "${aarch64_packages[@]}" ||
            say "to be installed, as root: apt-get install -y ${aarch64_packages[*]}"
    fi
    [[ -f $build_root/aarch64/root/complete ]] || aarch64_fetch_libraries ||
        say "the packages ${aarch64_libraries[*]} of arm64 are not to be had here"
    missing=$(aarch64_missing)
    [[ -z $missing ]] || { say "missing for aarch64: $missing"; exit 1; }
    say "ready for ./stealyard test aarch64"
}
