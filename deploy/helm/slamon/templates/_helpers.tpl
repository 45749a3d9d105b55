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

{{/* slamon.yaml: the user's settings, and what has to agree with the pod. */}}
{{- define "slamon.settings" -}}
{{- $directories := list -}}
{{- range include "slamon.agreementVolumes" . | fromYamlArray -}}
{{- $directories = append $directories (printf "/etc/slamon-agreements/%s" .name) -}}
{{- end -}}
{{- $own := dict "agreements" $directories "http" (dict "port" 9464 "liveness_port" 9465) -}}
{{- mergeOverwrite (deepCopy .Values.settings) $own | toYaml -}}
{{- end -}}

{{/* What every container of the pod has alike. */}}
{{- define "slamon.container" -}}
image: {{ include "slamon.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  # Static membership: a pod that is back within kafka.session_timeout moves no task.
  - name: SLAMON_KAFKA__GROUP_INSTANCE_ID
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
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
{{- end -}}
