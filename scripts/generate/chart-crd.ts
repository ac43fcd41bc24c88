const METADATA = `  labels:
    app.kubernetes.io/part-of: kubevirt-telemetry
`;

const CHART_METADATA = `  labels:
    {{- include "kubevirt-telemetry.labels" . | nindent 4 }}
  {{- $keep := .Values.crds.keep | ternary (dict "helm.sh/resource-policy" "keep") (dict) }}
  {{- include "kubevirt-telemetry.annotationsWith" (list . $keep) }}
`;

/** Returns a CRD as a template of the chart. Helm upgrades templates with the release, but not files in `crds/`. */
export function crdTemplate(crd: string): string {
  if (crd.includes("{{")) throw new Error("the CRD has text that Helm would take for a template");
  if (!crd.includes(METADATA)) throw new Error("the CRD has other labels than those to replace");
  const [comment, object] = [crd.slice(0, crd.indexOf("\n") + 1), crd.slice(crd.indexOf("\n") + 1)];
  return `${comment}{{- if .Values.crds.enabled }}\n${object.replace(METADATA, CHART_METADATA)}{{- end }}\n`;
}
