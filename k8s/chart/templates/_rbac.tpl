{{/* An account: root, suffix. */}}
{{- define "gitjob-cleaner.serviceaccount" -}}
{{- if .root.Values.serviceAccount.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "gitjob-cleaner.account" . | quote }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "gitjob-cleaner.labels" (dict "root" .root) | nindent 4 }}
  {{- with .root.Values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false # only Pods that ask for it get the token
{{- end }}
{{- end -}}

{{/* The roles of one group of rights, and their bindings: root, group, suffix of their name, and that of the account. */}}
{{- define "gitjob-cleaner.roles" -}}
{{- if .root.Values.rbac.create }}
{{- $names := .root.Values.namespaces -}}
{{- $rights := index (.root.Files.Get "files/rights.yaml" | fromYaml) .group (ternary "named" "cluster" (not (empty $names))) -}}
{{- $where := dict "scope" ($names | default (list "")) "own" (list .root.Release.Namespace) "fleet" (list .root.Values.fleetNamespace) -}}
{{/* By Namespace, for one of them may be several of these places; an empty one is the whole cluster. */}}
{{- $places := dict -}}
{{- range $place, $rules := $rights -}}
{{- range $namespace := uniq (get $where $place) -}}
{{- $_ := set $places $namespace (concat (get $places $namespace | default list) $rules) -}}
{{- end -}}
{{- end -}}
{{- $name := include "gitjob-cleaner.name" . -}}
{{- $account := include "gitjob-cleaner.account" (dict "root" .root "suffix" .account) -}}
{{- $root := .root -}}
{{- range $namespace, $rules := $places }}
{{- $kind := ternary "Role" "ClusterRole" (not (empty $namespace)) }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  name: {{ $name }}
  {{- with $namespace }}
  namespace: {{ . | quote }}
  {{- end }}
  labels:
    {{- include "gitjob-cleaner.labels" (dict "root" $root) | nindent 4 }}
rules:
  {{- range $rules }}
  - apiGroups: {{ toJson .apiGroups }}
    resources: {{ toJson .resources }}
    {{- if .resourceNames }}
    resourceNames:
      {{- range .resourceNames }}
      - {{ . }}{{ with include "gitjob-cleaner.instance" $root }}-{{ . }}{{ end }}
      {{- end }}
    {{- end }}
    verbs: {{ toJson .verbs }}
  {{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ $name }}
  {{- with $namespace }}
  namespace: {{ . | quote }}
  {{- end }}
  labels:
    {{- include "gitjob-cleaner.labels" (dict "root" $root) | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ $kind }}, name: {{ $name }}}
subjects:
  - {kind: ServiceAccount, name: {{ quote $account }}, namespace: {{ quote $root.Release.Namespace }}}
{{- end }}
{{- end }}
{{- end -}}
