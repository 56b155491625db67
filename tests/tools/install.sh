# Shared by tests/run: what the tests need on a machine, one function per tool. Each looks for the pinned
# version first, installs it once, and fails in words when it cannot.
# shellcheck shell=bash

CARGO_DENY_VERSION=0.20.2
SCHEMATHESIS_VERSION=4.32.5

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
