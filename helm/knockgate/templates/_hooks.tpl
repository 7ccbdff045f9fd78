{{/* Makes an object part of a hook: the event and the weight, which orders the objects of one event. */}}
{{- define "knockgate.hook" -}}
annotations:
  helm.sh/hook: {{ first . }}
  helm.sh/hook-weight: {{ last . | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
  # Helm prints what a Job or a pod has said, and deletes it afterwards.
  helm.sh/hook-output-log-policy: hook-succeeded,hook-failed
{{- end }}

{{/*
The part of a pod's spec that runs a script of files/ which asks the API. On the host network, so that it reaches the API
and the agents in the way that the agents themselves do. Its container has no env yet: the caller goes on with it.
*/}}
{{- define "knockgate.script" -}}
hostNetwork: true
dnsPolicy: ClusterFirstWithHostNet
serviceAccountName: {{ .serviceAccount }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- include "knockgate.pullSecrets" .root }}
{{- include "knockgate.placement" .root | nindent 0 }}
volumes:
  {{- include "knockgate.token" .root | nindent 2 }}
containers:
  - name: script
    image: {{ include "knockgate.image" .root }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    command:
      - node
      - --input-type=module
      - --eval
      - |
        {{- .root.Files.Get "files/kubernetes-api.mjs" | replace "\nexport " "\n" | nindent 8 }}
        {{- regexReplaceAll "(?m)^import .*kubernetes-api.*$" (.root.Files.Get (printf "files/%s" .file)) "" | nindent 8 }}
    securityContext:
      {{- include "knockgate.nobody" .root | nindent 6 }}
    resources:
      requests: { cpu: 10m, memory: 64Mi }
      limits: { memory: 256Mi }
    volumeMounts:
      - { name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
{{- end }}

{{/* A selector as the API takes it in a query. */}}
{{- define "knockgate.selectorText" -}}
{{- $parts := list -}}
{{- range $key, $value := include "knockgate.selector" . | fromYaml }}{{ $parts = append $parts (printf "%s=%s" $key $value) }}{{ end -}}
{{- join "," $parts -}}
{{- end }}
