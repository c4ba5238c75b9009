# What the scripts share: messages, the list of components, and whether something must be built.
# Sourced, never run. Everything is relative to the repository, wherever it was called from.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

WASM_TARGET=wasm32-wasip2
COMPONENT_PROFILE=component
HOST=target/release/windlass-host
# An unpacked release has its program beside spin.toml, and nothing to build.
if [ -x windlass-host ]; then HOST=./windlass-host; fi
STATE=.windlass

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The packages that spin.toml's build commands name, all in one profile.
component_packages() { sed -n 's/^command = "cargo build .* -p \([a-z0-9-]*\)"$/\1/p' spin.toml | sort -u; }

# The .wasm files that spin.toml runs.
component_files() { sed -n 's/^source = "\(.*\)"$/\1/p' spin.toml | sort -u; }

# Whether anything under the given paths changed after the stamp. Folders count too: a file that was
# deleted or renamed changes its folder.
changed_since() {
  local stamp=$1; shift
  [ -e "$stamp" ] || return 0
  [ -n "$(find "$@" -newer "$stamp" -not -name '*.md' -print -quit 2>/dev/null)" ]
}

components_is_stale() {
  local file
  if [ "$HOST" = ./windlass-host ]; then return 1; fi
  while read -r file; do [ -e "$file" ] || return 0; done < <(component_files)
  changed_since target/.components-built components shared docs/openapi.json spin.toml Cargo.toml Cargo.lock
}

host_is_stale() {
  if [ "$HOST" = ./windlass-host ]; then return 1; fi
  [ -x "$HOST" ] || return 0
  changed_since target/.host-built host .cargo Cargo.toml Cargo.lock
}

# The stamp gets the time before the build: what is saved meanwhile counts as newer. One call for all
# components, so that what they share is compiled once.
build_components() {
  local packages
  mapfile -t packages < <(component_packages)
  mkdir -p target && touch target/.components-building
  cargo build --profile "$COMPONENT_PROFILE" --locked --target "$WASM_TARGET" "${packages[@]/#/--package=}" &&
    mv target/.components-building target/.components-built
}

build_host() {
  mkdir -p target && touch target/.host-building
  cargo build --release --locked -p windlass-host &&
    mv target/.host-building target/.host-built
}

# Whether one of `components` and `host` must be built.
any_is_stale() {
  local part
  for part in "$@"; do
    if "${part}_is_stale"; then return 0; fi
  done
  return 1
}

# Builds which of `components` and `host` must be, and tells how far it is. Both at the same time: the
# host has long stretches where only one crate can be compiled.
build_stale() {
  local part builds=() status=0
  # Groups of their own, so that Ctrl-C reaches what runs in the background.
  set -m
  for part in "$@"; do
    if "${part}_is_stale"; then
      say "building: $part (a few minutes the first time)"
      progress "$part" "build_$part" & builds+=($!)
    fi
  done
  set +m
  trap 'kill -- "${builds[@]/#/-}"; exit 130' INT TERM
  for part in "${builds[@]}"; do wait "$part" || status=$?; done
  trap - INT TERM
  return "$status"
}

# Runs a build and says how far it is, a line every ten seconds: `host: 120 of 260, wasmtime`. Only
# cargo's bar knows how many there are; everything else that cargo says is shown as it is, but for the
# crates it is done with.
progress() {
  local what=$1 piece line told=$SECONDS; shift
  CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=100 CARGO_TERM_COLOR=never "$@" 2>&1 |
    while IFS= read -r -d $'\r' piece || [ -n "$piece" ]; do
      while IFS= read -r line; do
        if [[ $line =~ Building.*\ ([0-9]+)/([0-9]+):?\ *([^,\ ]*) ]]; then
          if [ $((SECONDS - told)) -ge 10 ]; then
            told=$SECONDS
            note "$what: ${BASH_REMATCH[1]} of ${BASH_REMATCH[2]} ${BASH_REMATCH[3]}"
          fi
        elif [[ ! $line =~ ^\ *(Compiling|Downloading|Downloaded|Updating|Blocking|Finished|$) ]]; then
          printf '%s\n' "$line" >&2
        fi
      done <<<"$piece"
    done
}
