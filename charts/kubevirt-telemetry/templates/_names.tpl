{{- define "kubevirt-telemetry.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "kubevirt-telemetry.fullname" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $chart := include "kubevirt-telemetry.name" . -}}
{{- $name = contains $chart .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $chart) -}}
{{- end -}}
{{- /* Leaves room for suffixes. */ -}}
{{- $name | trunc 48 | trimSuffix "-" -}}
{{- end -}}

{{- define "kubevirt-telemetry.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- define "kubevirt-telemetry.agent" -}}
{{ include "kubevirt-telemetry.fullname" . }}-agent
{{- end -}}

{{- define "kubevirt-telemetry.controller" -}}
{{ include "kubevirt-telemetry.fullname" . }}-controller
{{- end -}}

{{- /* Names of the service accounts, which may exist already. */ -}}
{{- define "kubevirt-telemetry.agentAccount" -}}
{{ .Values.agent.serviceAccount.name | default (include "kubevirt-telemetry.agent" .) }}
{{- end -}}

{{- define "kubevirt-telemetry.controllerAccount" -}}
{{ .Values.controller.serviceAccount.name | default (include "kubevirt-telemetry.controller" .) }}
{{- end -}}

{{- define "kubevirt-telemetry.labels" -}}
{{- list (include "kubevirt-telemetry.ownLabels" .) .Values.commonLabels | include "kubevirt-telemetry.labelsWith" -}}
{{- end -}}

{{- /* The labels of a pod. The arguments are the root, its component, and labels of the values. */ -}}
{{- define "kubevirt-telemetry.podLabels" -}}
{{- $own := printf "%s\napp.kubernetes.io/component: %s" (include "kubevirt-telemetry.labels" (index . 0)) (index . 1) -}}
{{- list $own (index . 2) | include "kubevirt-telemetry.labelsWith" -}}
{{- end -}}

{{- /* Labels of the values replace others, but not those of selectors. The arguments are the others' YAML and these labels. */ -}}
{{- define "kubevirt-telemetry.labelsWith" -}}
{{- $free := omit (index . 1 | default dict) "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" -}}
{{- list (index . 0) $free | include "kubevirt-telemetry.merged" -}}
{{- end -}}

{{- define "kubevirt-telemetry.ownLabels" -}}
app.kubernetes.io/name: {{ include "kubevirt-telemetry.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: kubevirt-telemetry
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* The annotations of an object's metadata: with a line break before them, or nothing. */ -}}
{{- define "kubevirt-telemetry.annotations" -}}
{{- include "kubevirt-telemetry.annotationsWith" (list . dict) -}}
{{- end -}}

{{- /* The same with annotations from the values. The arguments are the root and these annotations. */ -}}
{{- define "kubevirt-telemetry.annotationsWith" -}}
{{- with merge (dict) (index . 1 | default dict) ((index . 0).Values.commonAnnotations | default dict) }}
  annotations:
    {{- toYaml . | nindent 4 }}
{{- end -}}
{{- end -}}

{{- /* Only the common annotations, for an object with a hook's annotations. */ -}}
{{- define "kubevirt-telemetry.moreAnnotations" -}}
{{- with .Values.commonAnnotations }}
    {{- toYaml . | nindent 4 }}
{{- end -}}
{{- end -}}

{{- /* The selector of a DaemonSet or Deployment is immutable. */ -}}
{{- define "kubevirt-telemetry.selector" -}}
app.kubernetes.io/name: {{ include "kubevirt-telemetry.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "kubevirt-telemetry.agentSelector" -}}
{{ include "kubevirt-telemetry.selector" . }}
app.kubernetes.io/component: agent
{{- end -}}

{{- define "kubevirt-telemetry.controllerSelector" -}}
{{ include "kubevirt-telemetry.selector" . }}
app.kubernetes.io/component: controller
{{- end -}}

{{- /* A service account. The arguments are the root, its name and its values. */ -}}
{{- define "kubevirt-telemetry.account" -}}
{{- $root := index . 0 -}}
{{- with index . 2 -}}
{{- if .create -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ index $ 1 }}
  namespace: {{ include "kubevirt-telemetry.namespace" $root }}
  labels:
    {{- include "kubevirt-telemetry.labels" $root | nindent 4 }}
  {{- include "kubevirt-telemetry.annotationsWith" (list $root .annotations) }}
{{- if not .automount }}
automountServiceAccountToken: false
{{- end }}
{{- end -}}
{{- end -}}
{{- end -}}
