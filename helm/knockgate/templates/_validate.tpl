{{/* What the schema cannot say, one sentence each. */}}
{{- define "knockgate.validate" -}}
{{- $v := .Values -}}
{{- $isSidecar := eq $v.kind "Sidecar" -}}
{{- $files := or (and $v.sequences (ne $v.sequencesAs "KnockSequence")) $v.existingConfigMaps $v.existingSecrets -}}
{{- if and $isSidecar (empty $v.sidecar.containers) -}}
{{- fail "kind: Sidecar needs sidecar.containers: the containers whose ports are guarded" -}}
{{- end -}}
{{- if and $isSidecar (or (eq $v.sequencesAs "KnockSequence") $v.watchedConfigMaps) -}}
{{- fail "a Sidecar never talks to the API: use sequencesAs Secret or ConfigMap, existingConfigMaps or existingSecrets" -}}
{{- end -}}
{{- if and $v.sequences (eq $v.sequencesAs "KnockSequence") (not $v.crd.enabled) -}}
{{- fail "sequencesAs KnockSequence needs crd.enabled: nobody would read the objects" -}}
{{- end -}}
{{- if not (or $files $v.guard $v.defaultDrop (include "knockgate.usesApi" .)) -}}
{{- fail "there is nothing to guard: set sequences, existingConfigMaps, existingSecrets, watchedConfigMaps, guard or crd.enabled" -}}
{{- end -}}
{{- if and $v.crd.allNamespaces $v.crd.namespaces -}}
{{- fail "crd.allNamespaces reads every namespace: leave crd.namespaces out" -}}
{{- end -}}
{{- if and $v.defaultDrop (not $isSidecar) (not $v.allowCritical) -}}
{{- fail "defaultDrop closes 6443, 10250, 2379 and 2380/tcp of a node too: trust or serve whom they are for, and set allowCritical: true" -}}
{{- end -}}
{{- if and $v.bootUnit.install $isSidecar -}}
{{- fail "bootUnit is for nodes: a Sidecar's ports are guarded before the containers of its pod begin" -}}
{{- end -}}
{{- if and (eq (include "knockgate.listenOn" .) "Loopback") (or $v.podMonitor.enabled $v.serviceMonitor.enabled) -}}
{{- fail "listen.address: Loopback cannot be scraped from outside: use PodIP, or no monitor" -}}
{{- end -}}
{{- if and (eq (include "knockgate.listenOn" .) "Loopback") $isSidecar -}}
{{- fail "listen.address: Loopback of a pod is out of the kubelet's reach: a Sidecar listens on PodIP" -}}
{{- end -}}
{{- end }}

{{/* "true" where a policy in the values, or `guard`, guards 22/tcp. */}}
{{- define "knockgate.guardsSsh" -}}
{{- $ports := .Values.guard -}}
{{- range .Values.sequences }}{{ $ports = concat $ports (dig "opens" "ports" list .) }}{{ end -}}
{{- range $ports -}}
{{- $parts := splitList "/" (toString .) -}}
{{- $ends := splitList "-" (first $parts) -}}
{{- $isTcp := or (eq (len $parts) 1) (eq (last $parts) "tcp") -}}
{{- if and $isTcp (le (first $ends | int) 22) (ge (last $ends | int) 22) }}true{{ end -}}
{{- end -}}
{{- end }}
