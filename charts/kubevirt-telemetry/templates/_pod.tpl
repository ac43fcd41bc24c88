{{- define "kubevirt-telemetry.image" -}}
{{- $repository := .Values.image.repository -}}
{{- with (.Values.global).imageRegistry | default .Values.image.registry -}}
{{- /* A first part with a dot or a port is a registry, as for container engines. */ -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) (regexReplaceAll "^(localhost|[^/]*[.:][^/]*)/" $repository "") -}}
{{- end -}}
{{- with .Values.image -}}
{{ $repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end -}}

{{- define "kubevirt-telemetry.imagePullSecrets" -}}
{{- with concat ((.Values.global).imagePullSecrets | default list) (.Values.imagePullSecrets | default list) }}
imagePullSecrets:
  {{- range . }}
  - name: {{ if kindIs "string" . }}{{ . }}{{ else }}{{ .name }}{{ end }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* The variable of a format other than the program's own choice in a pod. */ -}}
{{- define "kubevirt-telemetry.logFormat" -}}
{{- if ne .Values.logFormat "json" }}
- name: KUBEVIRT_TELEMETRY_LOG_FORMAT
  value: {{ .Values.logFormat }}
{{- end }}
{{- end -}}

{{- /* Metrics and health, of agents and controller. */ -}}
{{- define "kubevirt-telemetry.endpoint" -}}
ports:
  - name: metrics
    containerPort: {{ .Values.port }}
{{- with .Values.probes }}
{{- if .enabled }}
{{- with .startup }}
startupProbe:
  httpGet:
    path: /healthz
    port: metrics
  {{- toYaml . | nindent 2 }}
{{- end }}
livenessProbe:
  httpGet:
    path: /healthz
    port: metrics
  {{- with .liveness }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
readinessProbe:
  httpGet:
    path: /readyz
    port: metrics
  {{- with .readiness }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Where the pods run. The argument is .Values.agent or .Values.controller. */ -}}
{{- define "kubevirt-telemetry.scheduling" -}}
{{- with .runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . | quote }}
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

{{- /* How the pods find other hosts. The argument is .Values.agent or .Values.controller. */ -}}
{{- define "kubevirt-telemetry.network" -}}
{{- with .dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* How a DaemonSet or Deployment rolls out. The argument is .Values.agent or .Values.controller. */ -}}
{{- define "kubevirt-telemetry.rollout" -}}
{{- if not (kindIs "invalid" .revisionHistoryLimit) }}
revisionHistoryLimit: {{ .revisionHistoryLimit }}
{{- end }}
{{- with .minReadySeconds }}
minReadySeconds: {{ . }}
{{- end }}
{{- end -}}

{{- /* Variables of a container: those of the values, and the others. The arguments are the others' YAML and those of the values. */ -}}
{{- define "kubevirt-telemetry.env" -}}
{{- $others := index . 0 | fromYamlArray -}}
{{- $kept := $others -}}
{{- range $given := index . 1 -}}
{{- range $kept }}{{ if eq .name $given.name }}{{ $kept = without $kept . }}{{ end }}{{ end -}}
{{- end -}}
{{- if eq (len $kept) (len $others) }}{{ index . 0 }}{{ else if $kept }}{{ toYaml $kept }}{{ end }}
{{- with index . 1 }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* A map whose fields are replaced by those of the values. The arguments are its YAML and the fields of the values. */ -}}
{{- define "kubevirt-telemetry.merged" -}}
{{- $context := index . 0 -}}
{{- with index . 1 -}}
{{ mergeOverwrite (fromYaml $context) . | toYaml }}
{{- else -}}
{{ $context }}
{{- end -}}
{{- end -}}

{{- /* The user that can open the launchers' sockets: `uid:gid`. */ -}}
{{- define "kubevirt-telemetry.agentOwner" -}}
{{ eq .Values.agent.launchers "root" | ternary "0:0" "107:0" }}
{{- end -}}

{{- define "kubevirt-telemetry.agentEnv" -}}
# With the default version written out. Otherwise the API server sees another value when Helm takes this over.
- name: KUBEVIRT_TELEMETRY_NODE_NAME
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: spec.nodeName
- name: KUBEVIRT_TELEMETRY_POD_UID
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: metadata.uid
- name: KUBEVIRT_TELEMETRY_PODS_DIR
  value: /p
- name: KUBEVIRT_TELEMETRY_SPOOL_DIR
  value: /spool
- name: KUBEVIRT_TELEMETRY_LISTEN
  value: ":{{ .Values.port }}"
{{- with .Values.agent.allowedHosts }}
- name: KUBEVIRT_TELEMETRY_ALLOWED_HOST
  value: {{ join "," . | quote }}
{{- end }}
{{- if .Values.agent.vmMetrics }}
- name: KUBEVIRT_TELEMETRY_VM_METRICS
  value: "true"
{{- end }}
{{- with .Values.agent.launcherLimits }}
- name: KUBEVIRT_TELEMETRY_LAUNCHER_LIMIT
  value: {{ range $i, $name := keys . | sortAlpha }}{{ if $i }},{{ end }}{{ $name }}={{ index $.Values.agent.launcherLimits $name | int64 }}{{ end }}
{{- end }}
- name: KUBEVIRT_TELEMETRY_LOG_LEVEL
  value: {{ .Values.logLevel }}
{{- include "kubevirt-telemetry.logFormat" . }}
# The program writes only to its spool, not to the volumes of pods, and starts no other program.
- name: NODE_OPTIONS
  value: --permission --allow-fs-read=* --allow-fs-write=/spool
{{- end -}}

{{- define "kubevirt-telemetry.agentPodAnnotations" -}}
kubectl.kubernetes.io/default-container: agent
{{- if .Values.openshift.scc.create }}
openshift.io/required-scc: {{ include "kubevirt-telemetry.agent" . }}
{{- end }}
{{- end -}}

{{- define "kubevirt-telemetry.agentPodSecurityContext" -}}
seccompProfile:
  type: RuntimeDefault
{{- with .Values.agent.seLinuxOptions }}
seLinuxOptions:
  {{- toYaml . | nindent 2 }}
{{- end }}
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

{{- define "kubevirt-telemetry.controllerEnv" -}}
- name: KUBEVIRT_TELEMETRY_LISTEN
  value: ":{{ .Values.port }}"
{{- with .Values.controller.allowedHosts }}
- name: KUBEVIRT_TELEMETRY_ALLOWED_HOST
  value: {{ join "," . | quote }}
{{- end }}
- name: KUBEVIRT_TELEMETRY_LOG_LEVEL
  value: {{ .Values.logLevel }}
{{- include "kubevirt-telemetry.logFormat" . }}
{{- end -}}

{{- define "kubevirt-telemetry.controllerPodSecurityContext" -}}
# The user comes from the image, or from the range that OpenShift gives the namespace.
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "kubevirt-telemetry.controllerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* What runs instead of the agent with agent.spool.remove. */ -}}
{{- define "kubevirt-telemetry.removeSpool" -}}
- name: remove-spool
  image: {{ include "kubevirt-telemetry.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  # The container of a DaemonSet must not end.
  args: [remove-spool, /spool, --stay]
  securityContext:
    # An agent of any user may have written the files.
    runAsUser: 0
    runAsGroup: 0
    capabilities:
      drop: [ALL]
      add: [DAC_OVERRIDE]
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
  resources:
    {{- toYaml .Values.agent.resources | nindent 4 }}
  volumeMounts:
    - name: spool
      mountPath: /spool
{{- end -}}
