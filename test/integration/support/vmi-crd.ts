/**
 * KubeVirt's VirtualMachineInstance for an API client: namespaced, any spec and status, and, as upstream,
 * no status subresource and no selectable fields (pkg/virt-operator/resource/generate/components/crds.go).
 */
export const VMI_CRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: virtualmachineinstances.kubevirt.io
spec:
  group: kubevirt.io
  scope: Namespaced
  names:
    kind: VirtualMachineInstance
    listKind: VirtualMachineInstanceList
    plural: virtualmachineinstances
    singular: virtualmachineinstance
    shortNames: [vmi, vmis]
    categories: [all]
  versions:
    - name: v1
      served: true
      storage: true
      additionalPrinterColumns:
        - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
        - {name: Phase, type: string, jsonPath: .status.phase}
        - {name: NodeName, type: string, jsonPath: .status.nodeName}
      schema:
        openAPIV3Schema:
          type: object
          required: [spec]
          properties:
            spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
            status: {type: object, x-kubernetes-preserve-unknown-fields: true}
`;
