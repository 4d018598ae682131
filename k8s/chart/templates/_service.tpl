{{/* The Service of a part that has the page: root, component, suffix. */}}
{{- define "gitjob-cleaner.service" }}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "gitjob-cleaner.metadata" . | nindent 2 }}
spec:
  selector:
    {{- include "gitjob-cleaner.selector" . | nindent 4 }}
  ports:
    - {name: http, port: 8080, targetPort: http}
{{- end -}}
