{{/*
Writes the unit and enables it by the link that `systemctl enable` would make. systemd reads both at the next boot, which is
when they count, so nothing of the node but one folder is touched. The path of the state folder is put in as it is here.
*/}}
{{- define "knockgate.bootUnitInstaller" -}}
- name: boot-unit
  image: {{ include "knockgate.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command:
    - /bin/sh
    - -euc
    - |
      printf '%s' "$UNIT" > /units/.knockgate-boot.new
      chmod 0644 /units/.knockgate-boot.new
      mv /units/.knockgate-boot.new /units/knockgate-boot.service
      mkdir -p /units/sysinit.target.wants
      ln -sfn ../knockgate-boot.service /units/sysinit.target.wants/knockgate-boot.service
      echo "knockgate-boot.service is on this node: guarded ports are closed before its network is up"
  env:
    - name: UNIT
      value: {{ .Files.Get "files/knockgate-boot.service" | replace "/var/lib/knockgate" .Values.stateDir | replace "$" "$$" | quote }}
  securityContext:
    {{- include "knockgate.rootWithoutRights" . | nindent 4 }}
  resources:
    requests: { cpu: 10m, memory: 16Mi }
    limits: { memory: 64Mi }
  volumeMounts:
    - { name: units, mountPath: /units }
{{- end }}

{{/* Root owns the folder; no capability is needed to write there. */}}
{{- define "knockgate.rootWithoutRights" -}}
runAsUser: 0
runAsGroup: 0
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end }}
