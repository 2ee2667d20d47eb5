#!/usr/bin/env bash
# Prints a kustomization of the folder $1, with the components of config/options that follow, whose NetworkPolicy names the API server by
# the addresses that the cluster's EndpointSlice has now, and by its Service's, since networks differ in which of them they see. API_SERVER=any leaves its ports open to anywhere.
cd "$(dirname "$0")/.." && . hack/env.sh
echo "resources: [../../$1]"
for option in "${@:2}"; do components+="../../config/options/$option, "; done
[ -z "${components:-}" ] || echo "components: [$components]"
[ "${API_SERVER:-}" != any ] || exit 0
peers() { for a in "$@"; do case $a in *:*) echo -n "{ipBlock: {cidr: $a/128}}, " ;; *) echo -n "{ipBlock: {cidr: $a/32}}, " ;; esac; done; }
ports() { for p in "$@"; do echo -n "{port: $p}, "; done; }
slices() { kubectl -n default get endpointslices -l kubernetes.io/service-name=kubernetes -o jsonpath="$1"; }
addresses=$(slices '{.items[*].endpoints[*].addresses[*]}')
ports=$(slices '{.items[*].ports[*].port}')
service=$(kubectl -n default get service kubernetes -o jsonpath='{.spec.clusterIPs[*]}')
[ -n "$addresses" ] && [ -n "$ports" ] && [ -n "$service" ] || # an empty list would mean anywhere
  { echo "the Service default/kubernetes has no endpoints: set API_SERVER=any (docs/operate.md)" >&2; exit 1; }
cat <<YAML
patches:
- target: {kind: NetworkPolicy, name: api-server}
  patch: |-
    - op: replace
      path: /spec/egress
      value:
      - {to: [$(peers $addresses)], ports: [$(ports $ports)]}
      - {to: [$(peers $service)], ports: [$(ports 443)]}
YAML
