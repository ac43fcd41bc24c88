{{- define "kubevirt-telemetry.fullname" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $name = contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) -}}
{{- end -}}
{{- /* Leaves room for suffixes. */ -}}
{{- $name | trunc 48 | trimSuffix "-" -}}
{{- end -}}

{{- define "kubevirt-telemetry.agent" -}}
{{ include "kubevirt-telemetry.fullname" . }}-agent
{{- end -}}

{{- define "kubevirt-telemetry.controller" -}}
{{ include "kubevirt-telemetry.fullname" . }}-controller
{{- end -}}

{{- define "kubevirt-telemetry.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: kubevirt-telemetry
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The selector of a DaemonSet or Deployment is immutable. */ -}}
{{- define "kubevirt-telemetry.agentSelector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: agent
{{- end -}}

{{- define "kubevirt-telemetry.controllerSelector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "kubevirt-telemetry.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end -}}

{{- define "kubevirt-telemetry.imagePullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* Metrics and health, of agents and controller. */ -}}
{{- define "kubevirt-telemetry.endpoint" -}}
ports:
  - name: metrics
    containerPort: {{ .Values.port }}
{{- if .Values.probes.enabled }}
# A probe in the first second finds no listener, and Kubernetes reports a warning.
livenessProbe:
  httpGet:
    path: /healthz
    port: metrics
  initialDelaySeconds: 15
  periodSeconds: 15
  timeoutSeconds: 5
readinessProbe:
  httpGet:
    path: /readyz
    port: metrics
  initialDelaySeconds: 5
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}
{{- end -}}

{{- /* Where the pods run. The argument is .Values.agent or .Values.controller. */ -}}
{{- define "kubevirt-telemetry.scheduling" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* The user that can open the launchers' sockets: `uid:gid`. */ -}}
{{- define "kubevirt-telemetry.agentOwner" -}}
{{ eq .Values.agent.launchers "root" | ternary "0:0" "107:0" }}
{{- end -}}

{{- /* The agents' user, with only the rights that it needs. */ -}}
{{- define "kubevirt-telemetry.agentSecurityContext" -}}
{{- if eq .Values.agent.launchers "root" -}}
# The sockets belong to root. Without this capability root cannot open the files of other users.
runAsUser: 0
runAsGroup: 0
capabilities:
  drop: [ALL]
  add: [DAC_OVERRIDE]
{{- else -}}
# The user owns the launchers' sockets; the group may enter the kubelet's directories.
runAsUser: 107
runAsGroup: 0
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
{{- end -}}
