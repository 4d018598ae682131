{{/* A setting as the environment writes it. Numbers come as floats, which must not become 1e+06. */}}
{{- define "gitjob-cleaner.text" -}}
{{- if kindIs "slice" . -}}
{{- join "," . -}}
{{- else if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* The environment of a part: its settings, and what else is wanted. */}}
{{- define "gitjob-cleaner.env" -}}
{{- $values := .root.Values -}}
{{- $settings := deepCopy $values.settings -}}
{{- if not (has .component (list "sweep" "service")) -}}
{{/* Only the account of sweep and run has the rights for these, and only they ask. */}}
{{- $settings = omit $settings "current" "orphaned_pods" "evidence" -}}
{{- end -}}
{{- with $values.namespaces }}{{ $_ := set $settings "namespaces" . }}{{ end -}}
{{- with include "gitjob-cleaner.instance" .root }}{{ $_ := set $settings "instance" . }}{{ end -}}
{{- if ne $values.fleetNamespace "cattle-fleet-system" }}{{ $_ := set $settings "fleet_namespace" $values.fleetNamespace }}{{ end -}}
{{- range $name, $value := $settings }}
- name: GITJOB_CLEANER_{{ upper $name }}
  value: {{ include "gitjob-cleaner.text" $value | quote }}
{{- end }}
{{- range $values.extraEnv }}
{{- if and (hasPrefix "GITJOB_CLEANER_" .name) (hasKey $settings (.name | trimPrefix "GITJOB_CLEANER_" | lower)) }}
{{- fail (printf "extraEnv: %s is set already" .name) }}
{{- end }}
- {{ toYaml . | nindent 2 | trim }}
{{- end }}
{{- end -}}

{{/* The labels of Pods, and of the Jobs that a CronJob makes. Ours win: they are found by them. */}}
{{- define "gitjob-cleaner.podlabels" -}}
{{- $labels := fromYaml (include "gitjob-cleaner.selector" .) -}}
{{- $_ := set $labels "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.podLabels) $labels) -}}
{{- end -}}

{{/* A Pod template: root, component, suffix of the account, command, serves (whether it has the page), and more for its spec. */}}
{{- define "gitjob-cleaner.pod" -}}
{{- $values := .root.Values -}}
metadata:
  labels:
    {{- include "gitjob-cleaner.podlabels" . | nindent 4 }}
  {{- with $values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "gitjob-cleaner.account" . | quote }}
  automountServiceAccountToken: true
  enableServiceLinks: false
  {{- with .spec }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- range $key := list "imagePullSecrets" "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
  {{- with get $values $key }}
  {{ $key }}: {{ toJson . }}
  {{- end }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: gitjob-cleaner
      image: {{ include "gitjob-cleaner.image" .root | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: {{ toJson .command }}
      {{- with include "gitjob-cleaner.env" . }}
      env:
        {{- . | nindent 8 }}
      {{- end }}
      {{- if .serves }}
      ports:
        - {name: http, containerPort: 8080}
      startupProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 2
        failureThreshold: 30
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 20
        timeoutSeconds: 5
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
      {{- end }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- with $values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: 16Mi}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
