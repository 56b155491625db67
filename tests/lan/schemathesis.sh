#!/usr/bin/env bash
# Asks a box of its own everything its OpenAPI document allows, and much that it does not:
#   [STOREBOX_SEED=N] [STOREBOX_EXAMPLES=N] tests/lan/schemathesis.sh
# STOREBOX_EXAMPLES is the number of requests per operation and phase. Fails on any failure of any check.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${STOREBOX_ADDRESS:-}" ]; then
  if [ -z "${SCHEMATHESIS:-}" ]; then
    # shellcheck source=tests/tools/install.sh
    . tests/tools/install.sh
    tool_apt curl
    tool_schemathesis
  fi
  # Chosen here, so that it is known whatever happens to the box.
  export STOREBOX_SEED=${STOREBOX_SEED:-$((RANDOM * 32768 + RANDOM))}
  export STOREBOX_EXAMPLES=${STOREBOX_EXAMPLES:-25}
  echo "seed $STOREBOX_SEED, $STOREBOX_EXAMPLES examples"
  result=0
  tests/tools/with-box tests/lan/schemathesis.sh || result=$?
  [ "$result" = 0 ] || echo "repeat: STOREBOX_SEED=$STOREBOX_SEED STOREBOX_EXAMPLES=$STOREBOX_EXAMPLES tests/lan/schemathesis.sh" >&2
  exit "$result"
fi

box=https://$STOREBOX_ADDRESS
ask() {
  curl --silent --show-error --fail-with-body --max-time 10 --cacert "$STOREBOX_CA" "$@"
}

paired=$(ask --header 'Content-Type: application/json' \
  --data "{\"name\":\"schemathesis\",\"kind\":\"pos\",\"secret\":\"$(cat "$STOREBOX_SECRET")\"}" "$box/api/local/pair")
token=$(sed -n 's/.*"token" *: *"\([^"]*\)".*/\1/p' <<<"$paired")
if [ -z "$token" ]; then
  echo "schemathesis: the answer to pairing holds no token: $paired" >&2
  exit 1
fi
# A document without operations would pass every check.
if [[ $(ask "$box/openapi.json") != *'"/pos/orders/{'* ]]; then
  echo "schemathesis: /openapi.json does not speak of orders" >&2
  exit 1
fi

# Its cache of character tables would else lie in the tree.
export HYPOTHESIS_STORAGE_DIRECTORY=${CARGO_TARGET_DIR:-target}/hypothesis
"$SCHEMATHESIS" --config-file tests/tools/schemathesis.toml run "$box/openapi.json" \
  --tls-verify "$STOREBOX_CA" --header "Authorization: Bearer $token" \
  --checks all --mode all --phases examples,coverage,fuzzing,stateful \
  --max-examples "$STOREBOX_EXAMPLES" --seed "$STOREBOX_SEED" \
  --continue-on-failure --request-timeout 20 --no-color
