{{/* The name of everything: that of the release. One that is too long for what follows it, or has a dot, ends with a hash instead. */}}
{{- define "gitjob-cleaner.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- if or (gt (len $name) 32) (contains "." $name) -}}
{{- printf "%s-%s" ($name | replace "." "-" | trunc 23 | trimSuffix "-") (sha256sum $name | trunc 8) -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{/* A name with an ending, if there is one. */}}
{{- define "gitjob-cleaner.name" -}}
{{- include "gitjob-cleaner.fullname" .root }}{{ with .suffix }}-{{ . }}{{ end -}}
{{- end -}}

{{/* The account of a part. */}}
{{- define "gitjob-cleaner.account" -}}
{{- .root.Values.serviceAccount.name | default (include "gitjob-cleaner.fullname" .root) }}{{ with .suffix }}-{{ . }}{{ end -}}
{{- end -}}

{{/* What ends the names of Leases. Roles name the Lease, so where the tool would take a hash, it is told a name. */}}
{{- define "gitjob-cleaner.instance" -}}
{{- $instance := .Values.instance -}}
{{- if and (not $instance) (or (ne .Release.Name .Chart.Name) .Values.namespaces .Values.settings.selector) -}}
{{- $instance = include "gitjob-cleaner.fullname" . -}}
{{- end -}}
{{- if or (eq $instance "migration") (hasPrefix "migration-" $instance) -}}
{{- fail (printf "instance: with %q this Lease could be another installation's Lease for a migration" $instance) -}}
{{- end -}}
{{- $instance -}}
{{- end -}}

{{- define "gitjob-cleaner.image" -}}
{{- $image := .Values.image -}}
{{- $registry := dig "cattle" "systemDefaultRegistry" "" (.Values.global | default dict) -}}
{{/* Rancher gives all charts the registry of a cluster without internet. It is for names that name none. */}}
{{- $named := or (contains "." (splitList "/" $image.repository | first)) (contains ":" (splitList "/" $image.repository | first)) -}}
{{- if and $registry (not $named) }}{{ $registry }}/{{ end }}{{ $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end -}}

{{/* By what a part is found: root, and component if it is one part only. */}}
{{- define "gitjob-cleaner.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "gitjob-cleaner.labels" -}}
{{ include "gitjob-cleaner.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The metadata of an object: root, and suffix, component, namespace where there are any. */}}
{{- define "gitjob-cleaner.metadata" -}}
name: {{ include "gitjob-cleaner.name" . }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
labels:
  {{- include "gitjob-cleaner.labels" . | nindent 2 }}
{{- end -}}
