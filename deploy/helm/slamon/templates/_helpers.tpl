{{/* Names end at 52 characters: Kubernetes adds a hash of 11 to a StatefulSet's name and keeps both in a label of 63. */}}
{{- define "slamon.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "slamon.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "slamon.labels" -}}
{{ include "slamon.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "slamon.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "slamon.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "slamon.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* Every volume with agreements, as YAML of a list. */}}
{{- define "slamon.agreementVolumes" -}}
{{- $volumes := list -}}
{{- if .Values.agreements.files -}}
{{- $volumes = append $volumes (dict "name" "files" "configMap" (dict "name" (printf "%s-agreements" (include "slamon.name" .)))) -}}
{{- end -}}
{{- concat $volumes .Values.agreements.volumes | toYaml -}}
{{- end -}}

{{/* Where they are mounted, as YAML of a list. */}}
{{- define "slamon.agreementDirectories" -}}
{{- $directories := list -}}
{{- range include "slamon.agreementVolumes" . | fromYamlArray -}}
{{- $directories = append $directories (printf "/etc/slamon-agreements/%s" .name) -}}
{{- end -}}
{{- toYaml $directories -}}
{{- end -}}

{{/* slamon.yaml: the user's settings, and what has to agree with the pod. */}}
{{- define "slamon.settings" -}}
{{- $directories := include "slamon.agreementDirectories" . | fromYamlArray -}}
{{- $own := dict "agreements" $directories "http" (dict "port" 9464 "liveness_port" 9465) -}}
{{- if and .Values.docsUrl (not (dig "notifier" "runbook_url" "" .Values.settings)) -}}
{{- $_ := set $own "notifier" (dict "runbook_url" (printf "%s/runbook/$alertname/" (trimSuffix "/" .Values.docsUrl))) -}}
{{- end -}}
{{- mergeOverwrite (deepCopy .Values.settings) $own | toYaml -}}
{{- end -}}

{{- define "slamon.settingsName" -}}
{{- .Values.existingSettings | default (printf "%s-settings" (include "slamon.name" .)) -}}
{{- end -}}

{{/* Every port of the URLs in the settings but of those that people open, as YAML of a list. */}}
{{- define "slamon.receiverPorts" -}}
{{- $ports := .Values.networkPolicy.receivers.ports -}}
{{- $settings := deepCopy .Values.settings -}}
{{- if hasKey $settings "notifier" -}}
{{- $_ := set $settings "notifier" (omit (default dict $settings.notifier) "external_url" "customer_url" "dashboard_url" "runbook_url") -}}
{{- end -}}
{{- range regexFindAll `https?://[^/\s"']+` (toYaml $settings) -1 -}}
{{- $port := regexFind `[0-9]+$` (regexFind `:[0-9]+$` .) -}}
{{- $ports = append $ports (int (default (ternary 443 80 (hasPrefix "https:" .)) $port)) -}}
{{- end -}}
{{- $ports | uniq | toYaml -}}
{{- end -}}

{{/* The ports of bootstrap_servers and those named beside them, as YAML of a list. */}}
{{- define "slamon.kafkaPorts" -}}
{{- $ports := .Values.networkPolicy.kafka.ports -}}
{{- if not .Values.existingSettings -}}
{{- range dig "kafka" "bootstrap_servers" "localhost:9092" .Values.settings | splitList "," -}}
{{- $ports = append $ports (int (regexFind `[0-9]+$` (trim .))) -}}
{{- end -}}
{{- else if not $ports -}}
{{- fail "networkPolicy.kafka.ports: name the brokers' ports, for the chart does not read existingSettings" -}}
{{- end -}}
{{- $ports | uniq | toYaml -}}
{{- end -}}

{{/* One egress rule: (dict "ports" (list …) "to" (list …)). */}}
{{- define "slamon.egress" -}}
- ports:
    {{- range .ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* What tells this release's series from others'. */}}
{{- define "slamon.seriesSelector" -}}
{{- .Values.seriesSelector | default (printf `namespace="%s",service="%s-headless"` .Release.Namespace (include "slamon.name" .)) -}}
{{- end -}}

{{/* What every container of the chart has alike. */}}
{{- define "slamon.container" -}}
image: {{ include "slamon.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  # Static membership: a pod that is back within kafka.session_timeout moves no task.
  - name: SLAMON_KAFKA__GROUP_INSTANCE_ID
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  {{- if .Values.existingSettings }}
  # What has to agree with the pod; the environment wins over the file.
  - name: SLAMON_AGREEMENTS
    value: {{ include "slamon.agreementDirectories" . | fromYamlArray | toJson | quote }}
  - {name: SLAMON_HTTP__PORT, value: "9464"}
  - {name: SLAMON_HTTP__LIVENESS_PORT, value: "9465"}
  - {name: SLAMON_SHUTDOWN_TIMEOUT, value: {{ .Values.settings.shutdown_timeout | default 20 | quote }}}
  {{- end }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  privileged: false
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  # Directories, never subPath: a changed ConfigMap would not arrive.
  - name: settings
    mountPath: /etc/slamon
    readOnly: true
  {{- range (include "slamon.agreementVolumes" . | fromYamlArray) }}
  - name: agreements-{{ .name }}
    mountPath: /etc/slamon-agreements/{{ .name }}
    readOnly: true
  {{- end }}
  {{- range .Values.secrets }}
  - name: secret-{{ . }}
    mountPath: /etc/slamon-secrets/{{ . }}
    readOnly: true
  {{- end }}
  {{- range .Values.volumes }}
  - name: volume-{{ .name }}
    mountPath: /etc/slamon-volumes/{{ .name }}
    readOnly: true
  {{- end }}
{{- end -}}

{{/* What every pod of the chart has alike. */}}
{{- define "slamon.pod" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
serviceAccountName: {{ include "slamon.serviceAccountName" . }}
automountServiceAccountToken: false
# A Service named slamon would put SLAMON_… variables into the pod, where settings are looked for.
enableServiceLinks: false
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- $restricted := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") }}
  {{- mergeOverwrite (deepCopy .Values.podSecurityContext) $restricted | toYaml | nindent 2 }}
volumes:
  - name: settings
    configMap:
      name: {{ include "slamon.settingsName" . }}
  {{- range (include "slamon.agreementVolumes" . | fromYamlArray) }}
  - name: agreements-{{ .name }}
    {{- omit . "name" | toYaml | nindent 4 }}
  {{- end }}
  {{- range .Values.secrets }}
  - name: secret-{{ . }}
    secret:
      secretName: {{ . }}
  {{- end }}
  {{- range .Values.volumes }}
  - name: volume-{{ .name }}
    {{- omit . "name" | toYaml | nindent 4 }}
  {{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Constraints on where pods go; one that does not say which pods it is about is about these. */}}
{{- define "slamon.spread" -}}
{{- $constraints := .Values.topologySpreadConstraints -}}
{{- if not $constraints -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" -}}
{{- $constraints = append $constraints (dict "maxSkew" 1 "topologyKey" . "whenUnsatisfiable" "ScheduleAnyway") -}}
{{- end -}}
{{- end -}}
{{- $these := dict "labelSelector" (dict "matchLabels" (include "slamon.selectorLabels" . | fromYaml)) -}}
{{- $complete := list -}}
{{- range $constraints -}}
{{- $complete = append $complete (merge (deepCopy .) (ternary dict $these (hasKey . "labelSelector"))) -}}
{{- end -}}
{{- toYaml $complete -}}
{{- end -}}
