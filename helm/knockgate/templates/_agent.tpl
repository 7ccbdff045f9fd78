{{/* The agent's container, the same in a DaemonSet and as a sidecar. */}}

{{/* "true" where the agent talks to the API; a Sidecar never does, so that the pod it guards gets no token. */}}
{{- define "knockgate.usesApi" -}}
{{- if and (eq .Values.kind "DaemonSet") (or .Values.crd.enabled .Values.watchedConfigMaps) -}}true{{- end -}}
{{- end }}

{{- define "knockgate.listenOn" -}}
{{- $isAsked := or (eq .Values.kind "Sidecar") .Values.podMonitor.enabled .Values.serviceMonitor.enabled -}}
{{- default (ternary "PodIP" "Loopback" $isAsked) .Values.listen.address -}}
{{- end }}

{{/* The folders with policies, as a list of {path, volume}. */}}
{{- define "knockgate.policyFolders" -}}
{{- $folders := list -}}
{{- if and .Values.sequences (ne .Values.sequencesAs "KnockSequence") -}}
{{- $source := dict "secret" (dict "secretName" (printf "%s-sequences" (include "knockgate.fullname" .)) "defaultMode" 0400) -}}
{{- if eq .Values.sequencesAs "ConfigMap" -}}
{{- $source = dict "configMap" (dict "name" (printf "%s-sequences" (include "knockgate.fullname" .)) "defaultMode" 0400) -}}
{{- end -}}
{{- $folders = append $folders (dict "name" "policies" "path" "/etc/knockgate/values" "source" $source) -}}
{{- end -}}
{{- range $index, $name := .Values.existingConfigMaps -}}
{{- $source := dict "configMap" (dict "name" $name "defaultMode" 0400) -}}
{{- $folders = append $folders (dict "name" (printf "policies-configmap-%d" $index) "path" (printf "/etc/knockgate/configmap-%s" $name) "source" $source) -}}
{{- end -}}
{{- range $index, $name := .Values.existingSecrets -}}
{{- $source := dict "secret" (dict "secretName" $name "defaultMode" 0400) -}}
{{- $folders = append $folders (dict "name" (printf "policies-secret-%d" $index) "path" (printf "/etc/knockgate/secret-%s" $name) "source" $source) -}}
{{- end -}}
{{- toJson $folders -}}
{{- end }}

{{/* The agent's command line, as a JSON list. Steps never stand in it. */}}
{{- define "knockgate.args" -}}
{{- $v := .Values -}}
{{- $args := list "agent" (printf "--mode=%s" $v.mode) -}}
{{- if ne $v.confirmWithin "0s" }}{{ $args = append $args (printf "--confirm-within=%s" $v.confirmWithin) }}{{ end -}}
{{- range include "knockgate.policyFolders" . | fromJsonArray }}{{ $args = append $args (printf "--config=%s" .path) }}{{ end -}}
{{- if eq $v.kind "DaemonSet" -}}
{{- range $v.watchedConfigMaps }}{{ $args = append $args (printf "--configmap=%s" .) }}{{ end -}}
{{- if $v.crd.enabled -}}
{{- $args = append $args "--crd" -}}
{{- if $v.crd.allNamespaces }}{{ $args = append $args "--all-namespaces" }}{{ end -}}
{{- range $v.crd.namespaces }}{{ $args = append $args (printf "--namespace=%s" .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range $v.interfaces }}{{ $args = append $args (printf "--interface=%s" .) }}{{ end -}}
{{- range $v.guard }}{{ $args = append $args (printf "--guard=%v" .) }}{{ end -}}
{{- range $v.guardAddresses }}{{ $args = append $args (printf "--guard-address=%s" .) }}{{ end -}}
{{- range $v.trust }}{{ $args = append $args (printf "--trust=%s" .) }}{{ end -}}
{{- if and (eq $v.kind "Sidecar") $v.sidecar.trustNode }}{{ $args = append $args "--trust=$(NODE_IP)" }}{{ end -}}
{{- range $v.neverGrant }}{{ $args = append $args (printf "--never-grant=%s" .) }}{{ end -}}
{{- $isReachable := eq (include "knockgate.listenOn" .) "PodIP" -}}
{{- if $v.defaultDrop -}}
{{- $args = append $args "--default-drop" -}}
{{- range $v.serve }}{{ $args = append $args (printf "--serve=%v" .) }}{{ end -}}
{{- if $isReachable }}{{ $args = append $args (printf "--serve=%v/tcp" $v.listen.port) }}{{ end -}}
{{- end -}}
{{- if ne $v.closedAs "silent" }}{{ $args = append $args (printf "--closed-as=%s" $v.closedAs) }}{{ end -}}
{{- if $v.allowCritical }}{{ $args = append $args "--allow-critical" }}{{ end -}}
{{- $host := ternary (ternary "[$(POD_IP)]" "$(POD_IP)" $v.listen.ipv6) "127.0.0.1" $isReachable -}}
{{- $args = append $args (printf "--listen=%s:%v" $host $v.listen.port) -}}
{{- $args = append $args (printf "--state-dir=%s" $v.stateDir) -}}
{{- if $v.stateSecrets }}{{ $args = append $args "--state-secrets" }}{{ end -}}
{{- $args = concat $args (list (printf "--max-sources=%d" (int64 $v.maxSources)) (printf "--max-grants=%d" (int64 $v.maxGrants))) -}}
{{- $args = concat $args (list (printf "--log-level=%s" $v.log.level) (printf "--log-format=%s" $v.log.format)) -}}
{{- if kindIs "slice" $v.extraArgs -}}
{{- range $v.extraArgs }}{{ $args = append $args (toString .) }}{{ end -}}
{{- else -}}
{{- range $name, $value := $v.extraArgs -}}
{{- if kindIs "bool" $value -}}
{{- if $value }}{{ $args = append $args (printf "--%s" $name) }}{{ end -}}
{{- else if kindIs "slice" $value -}}
{{- range $value }}{{ $args = append $args (printf "--%s=%v" $name .) }}{{ end -}}
{{- else if kindIs "float64" $value -}}
{{- $args = append $args (printf "--%s=%d" $name (int64 $value)) -}}
{{- else -}}
{{- $args = append $args (printf "--%s=%v" $name $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $args -}}
{{- end }}

{{- define "knockgate.env" -}}
- name: NODE_IP
  valueFrom: { fieldRef: { fieldPath: status.hostIP } }
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- name: POD_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
{{- if include "knockgate.usesApi" . }}
- name: KNOCKGATE_NODE_NAME
  valueFrom: { fieldRef: { fieldPath: spec.nodeName } }
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* NET_ADMIN for nftables, NET_RAW for opening the capture, SETUID and SETGID for making the capture child nobody. */}}
{{- define "knockgate.securityContext" -}}
runAsUser: 0
runAsGroup: 0
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
  add: [NET_ADMIN, NET_RAW, SETUID, SETGID]
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* Of pods that only ask the API. */}}
{{- define "knockgate.nobody" -}}
runAsUser: 65534
runAsGroup: 65534
runAsNonRoot: true
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* A loopback of the node is reached by a probe from the kubelet only as 127.0.0.1. */}}
{{- define "knockgate.probe" -}}
httpGet:
  path: {{ .path }}
  port: http
  {{- if eq (include "knockgate.listenOn" .root) "Loopback" }}
  host: 127.0.0.1
  {{- end }}
{{- end }}

{{- define "knockgate.container" -}}
- name: knockgate
  image: {{ include "knockgate.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- if eq .Values.kind "Sidecar" }}
  restartPolicy: Always
  {{- end }}
  args:
    {{- range include "knockgate.args" . | fromJsonArray }}
    - {{ . | quote }}
    {{- end }}
  env:
    {{- include "knockgate.env" . | nindent 4 }}
  ports:
    - { name: http, containerPort: {{ .Values.listen.port }}, protocol: TCP }
  startupProbe:
    {{- include "knockgate.probe" (dict "root" . "path" (ternary "/readyz" "/livez" (eq .Values.kind "Sidecar"))) | nindent 4 }}
    periodSeconds: 1
    failureThreshold: 60
  livenessProbe:
    {{- include "knockgate.probe" (dict "root" . "path" "/livez") | nindent 4 }}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  readinessProbe:
    {{- include "knockgate.probe" (dict "root" . "path" "/readyz") | nindent 4 }}
    periodSeconds: 5
    timeoutSeconds: 5
  securityContext:
    {{- include "knockgate.securityContext" . | nindent 4 }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  volumeMounts:
    - { name: state, mountPath: {{ .Values.stateDir | quote }} }
    - { name: run, mountPath: /run/knockgate }
    {{- range include "knockgate.policyFolders" . | fromJsonArray }}
    - { name: {{ .name }}, mountPath: {{ .path }}, readOnly: true }
    {{- end }}
    {{- if include "knockgate.usesApi" . }}
    - { name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
    {{- end }}
    {{- with .Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "knockgate.volumes" -}}
- name: state
  {{- if eq .Values.kind "DaemonSet" }}
  hostPath: { path: {{ .Values.stateDir | quote }}, type: DirectoryOrCreate }
  {{- else }}
  emptyDir: { sizeLimit: 64Mi }
  {{- end }}
- name: run
  emptyDir: { medium: Memory, sizeLimit: 1Mi }
{{- range include "knockgate.policyFolders" . | fromJsonArray }}
- name: {{ .name }}
  {{- toYaml .source | nindent 2 }}
{{- end }}
{{- if include "knockgate.usesApi" . }}
{{ include "knockgate.token" . }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Instead of the token that every container of a pod would get. */}}
{{- define "knockgate.token" -}}
- name: token
  projected:
    defaultMode: 0444
    sources:
      - serviceAccountToken: { path: token, expirationSeconds: 3607 }
      - configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca.crt }] }
      - downwardAPI: { items: [{ path: namespace, fieldRef: { fieldPath: metadata.namespace } }] }
{{- end }}
