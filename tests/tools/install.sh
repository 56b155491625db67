# Shared by tests/run: what the tests need on a machine, one function per tool. Each looks for the pinned
# version first, installs it once, and fails in words when it cannot.
# shellcheck shell=bash

CARGO_DENY_VERSION=0.20.2
SCHEMATHESIS_VERSION=4.32.5
LIBEST_VERSION=3.2.0+ds-1.1
# The release of Debian that has it, and the SHA-256 of its packages by architecture: the library, then the programs.
LIBEST_SUITE=trixie
declare -A LIBEST_SHA256=(
  [amd64]="bd9200c1d7b48fb2f85dd5072ac3085e7a8bed31281e0e84e8276f8e91ccf82b c987beae066cebdd8ed1525c5718a79dd273879da510de48b7f84eff7a596900"
  [arm64]="d96dc09f10d405c5d3ac16c2f02925aec0f56fd42aa1fbb33e5c688d25a93e4e 00dc69559db0ddd44a793c596bcb91fad6e1cf21bcc63792c2636c9922497b7b"
)

TOOLS=${STOREBOX_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/storebox-tools}

cannot() {
  printf 'tests/run: %s\n' "$*" >&2
  return 1
}

# Runs a command while no other run installs anything into the same folder.
alone() {
  mkdir -p "$TOOLS"
  (
    flock 9
    "$@" 9>&-
  ) 9>"$TOOLS/lock"
}

# The components that go with the pinned toolchain.
tool_rust() {
  command -v cargo >/dev/null || cannot "cargo is missing: install Rust by rustup" || return
  if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    command -v rustup >/dev/null || cannot "rustfmt and clippy are missing, and there is no rustup" || return
    rustup component add rustfmt clippy || cannot "rustup could not add rustfmt and clippy"
  fi
}

# The standard library of another target, for programs that are cross-compiled.
tool_rust_target() {
  [ ! -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ] || return 0
  rustup target add "$1" || cannot "rustup could not add the target $1"
}

# Whether what a Debian package brings is here, wherever it came from.
have() {
  case $1 in
    build-essential) command -v cc >/dev/null && command -v make >/dev/null ;;
    nftables) [ -x /usr/sbin/nft ] ;;
    bsdutils) command -v script >/dev/null ;;
    dosfstools) [ -x /usr/sbin/mkfs.vfat ] && [ -x /usr/sbin/fsck.vfat ] ;;
    e2fsprogs) [ -x /usr/sbin/mkfs.ext4 ] ;;
    fdisk) [ -x /usr/sbin/sfdisk ] ;;
    iproute2) command -v ip >/dev/null ;;
    # A package for the system's own Python, wherever another one is on the path.
    python3-aiosmtpd) /usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null ;;
    postgresql) [ -n "$(postgres_folder)" ] ;;
    libfaketime) [ -n "$(faketime_lib)" ] ;;
    mount) command -v mount >/dev/null && [ -x /usr/sbin/losetup ] ;;
    mtools) command -v mcopy >/dev/null ;;
    python3-venv) python_with_venv >/dev/null ;;
    zbar-tools) command -v zbarimg >/dev/null ;;
    tinyproxy-bin) command -v tinyproxy >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

tool_apt() {
  local package missing=()
  for package in "$@"; do
    have "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    cannot "missing: ${missing[*]}. As root, on Debian: apt-get install ${missing[*]}" || return
  fi
  alone apt_install "${missing[@]}"
  for package in "${missing[@]}"; do
    have "$package" || cannot "$package was installed, but what it should bring is not there" || return
  done
}

apt_install() {
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update || true # A stale list may still do; the installation decides.
  "${apt[@]}" install -y --no-install-recommends "$@" || cannot "apt-get could not install: $*"
}

# Prints where libfaketime is. The variant for threads comes first: the box has several.
faketime_lib() {
  local folder name
  for name in libfaketimeMT.so.1 libfaketime.so.1; do
    for folder in /usr/lib/*/faketime /usr/lib/faketime /usr/lib64/faketime /usr/local/lib/faketime; do
      if [ -e "$folder/$name" ]; then
        printf '%s\n' "$folder/$name"
        return
      fi
    done
  done
}

# Prints where the programs of the newest PostgreSQL are that can make a server of its own.
postgres_folder() {
  local folder newest=
  for folder in /usr/lib/postgresql/*/bin /usr/local/pgsql/bin; do
    [ ! -x "$folder/initdb" ] || newest=$(printf '%s\n' "$newest" "$folder" | sort -V | tail -n 1)
  done
  printf '%s\n' "$newest"
}

# Prints a python3 that can make a virtual environment: the system's own, else the first on the path.
python_with_venv() {
  local python
  for python in /usr/bin/python3 python3; do
    if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s\n' "$python"
      return
    fi
  done
  return 1
}

tool_cargo_deny() {
  local home=$TOOLS/cargo-deny-$CARGO_DENY_VERSION
  alone cargo_deny_install "$home" || return
  PATH=$home/bin:$PATH
}

cargo_deny_install() {
  local home=$1
  [ "$("$home/bin/cargo-deny" --version 2>/dev/null)" != "cargo-deny $CARGO_DENY_VERSION" ] || return 0
  CARGO_TARGET_DIR=$home/build cargo install --locked --quiet cargo-deny --version "$CARGO_DENY_VERSION" --root "$home" \
    || cannot "cargo could not install cargo-deny $CARGO_DENY_VERSION" || return
  rm -rf "$home/build"
}

# Exports SCHEMATHESIS, the command. The folder is named after the pins: other pins, another folder.
tool_schemathesis() {
  local pins home
  pins=$(sha256sum tests/tools/schemathesis.txt | cut -c 1-12)
  home=$TOOLS/schemathesis-$SCHEMATHESIS_VERSION-$pins
  alone schemathesis_install "$home" || return
  export SCHEMATHESIS=$home/bin/schemathesis
}

schemathesis_install() {
  local home=$1 python
  [ "$("$home/bin/schemathesis" --version 2>/dev/null)" != "schemathesis, version $SCHEMATHESIS_VERSION" ] || return 0
  python=$(python_with_venv) || cannot "no Python 3.11 or later that can make a virtual environment" || return
  # A half-made environment would answer to its name, so it is made anew.
  rm -rf "$home"
  "$python" -m venv "$home" || cannot "$python could not make a virtual environment" || return
  "$home/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r tests/tools/schemathesis.txt \
    || cannot "pip could not install schemathesis $SCHEMATHESIS_VERSION"
}

# Exports STOREBOX_LIBEST, the folder of Cisco's EST server: bin/estserver and lib/. Its packages ask for no more than
# older releases of Debian have, so they are unpacked and not installed.
tool_libest() {
  local home=$TOOLS/libest-$LIBEST_VERSION
  alone libest_install "$home" || return
  export STOREBOX_LIBEST=$home
}

libest_install() {
  local home=$1 architecture pins unpacked
  [ ! -x "$home/bin/estserver" ] || return 0
  command -v apt-get >/dev/null || cannot "libest is taken from Debian's archive, and there is no apt-get" || return
  architecture=$(dpkg --print-architecture)
  pins=${LIBEST_SHA256[$architecture]:-}
  [ -n "$pins" ] || cannot "no package of libest is known for $architecture" || return
  unpacked=$(mktemp -d "$TOOLS/libest.XXXXXX")
  if libest_fetch "$unpacked" "$pins" && libest_unpack "$unpacked"; then
    rm -rf "$home"
    mv "$unpacked/home" "$home"
  fi
  rm -rf "$unpacked"
  [ -x "$home/bin/estserver" ] || cannot "libest $LIBEST_VERSION could not be fetched from Debian's $LIBEST_SUITE"
}

# Downloads the packages into a folder, from the mirror this machine's apt uses, with lists of the folder's own.
libest_fetch() {
  local folder=$1 library program mirror apt
  read -r library program <<<"$2"
  # shellcheck disable=SC2016 # Names of apt's own.
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
  [ -n "$mirror" ] || cannot "this machine's apt names no mirror of Debian" || return
  mkdir -p "$folder/lists/partial" "$folder/archives/partial" "$folder/parts"
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$mirror" "$LIBEST_SUITE" >"$folder/sources"
  apt=(apt-get -q -o "Dir::Etc::SourceList=$folder/sources" -o "Dir::Etc::SourceParts=$folder/parts"
    -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder" -o APT::Sandbox::User=)
  "${apt[@]}" update && (cd "$folder" && "${apt[@]}" download "libest3=$LIBEST_VERSION" "libest-utils=$LIBEST_VERSION") || return
  printf '%s  %s\n' "$library" "$(echo "$folder"/libest3_*.deb)" "$program" "$(echo "$folder"/libest-utils_*.deb)" | sha256sum --check --quiet
}

libest_unpack() {
  local folder=$1 package
  mkdir -p "$folder/home/lib" "$folder/home/bin"
  for package in "$folder"/*.deb; do
    dpkg-deb --extract "$package" "$folder/root" || return
  done
  mv "$folder"/root/usr/lib/*/libest.so.* "$folder/home/lib/" && mv "$folder/root/usr/bin/estserver" "$folder/home/bin/"
}
