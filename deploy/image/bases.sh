# shellcheck shell=bash disable=SC2154 # docker is engine.sh's
# What images are usually made from, for deploy/test-image.sh, which has no registry to get it from. To be
# sourced, after engine.sh.
#
#   make_base NAME FOLDER    a Debian from Debian's packages, with nginx, Prometheus and wget; and to
#                            serve as BUILD_IMAGE, a C compiler, make, this machine's Rust, and the
#                            crates that are needed: nothing is downloaded in it

make_base() {
    local name=$1 folder=$2
    mkdir -p "$folder"
    # Links, where the disk is the same: it is 700 MB, and only read.
    cp -al "$(rustc --print sysroot)" "$folder/rust" 2>/dev/null ||
        cp -a "$(rustc --print sysroot)" "$folder/rust"
    rm -rf "$folder/rust/share"
    have_crates "$folder/cargo"
    # From wherever this machine has its own packages. In the image, there is nowhere to have more from.
    # shellcheck disable=SC2016 # those are apt's
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' 'Origin: Debian' >"$folder/sources.list"
    # shellcheck disable=SC2016 # mmdebstrap says where it is
    mmdebstrap --quiet --variant=minbase \
        --include=ca-certificates,gcc,libc6-dev,make,nginx-light,prometheus,wget \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --customize-hook='mkdir "$1/usr/local/rust" "$1/usr/local/cargo"' \
        --customize-hook="sync-in '$folder/rust' /usr/local/rust" \
        --customize-hook="sync-in '$folder/cargo' /usr/local/cargo" \
        --customize-hook='rm -rf "$1/etc/apt/sources.list" "$1/etc/apt/sources.list.d"' \
        "$(. /etc/os-release && echo "$VERSION_CODENAME")" - "$folder/sources.list" |
        "$docker" import \
            --change 'ENV PATH=/usr/local/cargo/bin:/usr/local/rust/bin:/usr/sbin:/usr/bin' \
            --change 'ENV CARGO_HOME=/usr/local/cargo' \
            --change 'ENV CARGO_NET_OFFLINE=true' \
            - "$name" >/dev/null
    rm -rf "$folder"
}

# A home for cargo with the crates that Cargo.lock names, and cargo-auditable with its own.
have_crates() (
    home=$1
    cargo=${CARGO_HOME:-$HOME/.cargo}
    version=$(sed -n 's/^ARG CARGO_AUDITABLE=//p' Dockerfile)
    mkdir -p "$home/registry"
    # What is here already need not be downloaded again; where from, is for this machine to say.
    for kept in registry/index registry/cache config.toml; do
        [ ! -e "$cargo/$kept" ] || cp -a "$cargo/$kept" "$home/$kept"
    done
    export CARGO_HOME=$home
    cargo fetch --quiet --locked
    # A program cannot be fetched alone: somebody has to want it. Its own lock file then tells the rest.
    mkdir -p "$home/want/src"
    : >"$home/want/src/lib.rs"
    cat >"$home/want/Cargo.toml" <<WANT
[package]
name = "want"
edition = "2024"
[dependencies]
cargo-auditable = "=$version"
[workspace]
WANT
    cargo fetch --quiet --manifest-path "$home/want/Cargo.toml"
    cargo fetch --quiet --locked --manifest-path "$(echo "$home"/registry/src/*/"cargo-auditable-$version")/Cargo.toml"
    rm -rf "$home/want" "$home/registry/src"
)
