# What the scripts share: messages, the list of components, and whether something must be built.
# Sourced, never run. Everything is relative to the repository, wherever it was called from.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

WASM_TARGET=wasm32-wasip2
HOST=target/release/windlass-host
STATE=.windlass

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The packages that spin.toml's build commands name.
component_packages() { sed -n 's/^command = "cargo build .* -p \([a-z0-9-]*\)"$/\1/p' spin.toml | sort -u; }

# The profiles they name, and the packages of one as cargo takes them.
component_profiles() { sed -n 's/^command = "cargo build --profile \([a-z-]*\) .*"$/\1/p' spin.toml | sort -u; }
packages_of() { sed -n "s/^command = \"cargo build --profile $1 .* \(-p [a-z0-9-]*\)\"$/\1/p" spin.toml | sort -u; }

# The .wasm files that spin.toml runs.
component_files() { sed -n 's/^source = "\(.*\)"$/\1/p' spin.toml | sort -u; }

# Whether anything under the given paths changed after the stamp. Folders count too: a file that was
# deleted or renamed changes its folder.
changed_since() {
  local stamp=$1; shift
  [ -e "$stamp" ] || return 0
  [ -n "$(find "$@" -newer "$stamp" -not -name '*.md' -print -quit 2>/dev/null)" ]
}

components_are_stale() {
  local file
  while read -r file; do [ -e "$file" ] || return 0; done < <(component_files)
  changed_since target/.components-built components shared spin.toml Cargo.toml Cargo.lock
}

host_is_stale() {
  [ -x "$HOST" ] || return 0
  changed_since target/.host-built host Cargo.toml Cargo.lock
}

# The stamp gets the time before the build: what is saved meanwhile counts as newer.
build_components() {
  local profile
  mkdir -p target && touch target/.components-building
  for profile in $(component_profiles); do
    # One call for all packages of a profile, so that they are compiled side by side.
    # shellcheck disable=SC2046
    cargo build --profile "$profile" --locked --target "$WASM_TARGET" $(packages_of "$profile") || return
  done
  mv target/.components-building target/.components-built
}

build_host() {
  mkdir -p target && touch target/.host-building
  cargo build --release --locked -p windlass-host &&
    mv target/.host-building target/.host-built
}
