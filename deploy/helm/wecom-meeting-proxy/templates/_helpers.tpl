{{/* Names and labels. */}}
{{- define "wecom-meeting-proxy.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for the names that are made of it. */}}
{{- define "wecom-meeting-proxy.fullname" -}}
{{- $name := include "wecom-meeting-proxy.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "wecom-meeting-proxy.selector" -}}
app.kubernetes.io/name: {{ include "wecom-meeting-proxy.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "wecom-meeting-proxy.labels" -}}
{{ include "wecom-meeting-proxy.selector" . }}
app.kubernetes.io/part-of: wecom-meeting-proxy
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "wecom-meeting-proxy.simulatorLabels" -}}
app.kubernetes.io/name: wecom-simulator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "wecom-meeting-proxy.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "wecom-meeting-proxy.secretName" -}}
{{- .Values.secret.name | default (include "wecom-meeting-proxy.fullname" .) -}}
{{- end -}}

{{/* What callers speak. */}}
{{- define "wecom-meeting-proxy.scheme" -}}
{{- if dig "server" "tls" "" .Values.config -}}https{{- else -}}http{{- end -}}
{{- end -}}

{{/* How many share the quota towards WeCom. */}}
{{- define "wecom-meeting-proxy.sharers" -}}
{{- if .Values.autoscaling.enabled -}}{{ .Values.autoscaling.maxReplicas }}{{- else -}}{{ .Values.replicas }}{{- end -}}
{{- end -}}

{{/* A replica's part of what all may ask. */}}
{{- define "wecom-meeting-proxy.part" -}}
{{- $part := div (int64 .whole) (int64 .sharers) -}}
{{- if lt $part 1 -}}
{{- fail (printf "quota.%s: %d is too little for %s replicas" .name (int64 .whole) .sharers) -}}
{{- end -}}
{{- $part -}}
{{- end -}}

{{/* config.toml: what the values say, and what follows from them. */}}
{{- define "wecom-meeting-proxy.config" -}}
{{- $sharers := include "wecom-meeting-proxy.sharers" . -}}
{{- $quota := .Values.quota -}}
{{- $follows := dict
  "server" (dict
    "listen" "0.0.0.0:8080"
    "drain_delay" (printf "%ds" (int64 .Values.shutdown.drainDelaySeconds))
    "drain_timeout" (printf "%ds" (int64 .Values.shutdown.drainTimeoutSeconds)))
  "admin" (dict "listen" "0.0.0.0:9090")
  "wecom" (dict
    "max_in_flight" (include "wecom-meeting-proxy.part" (dict "name" "inFlight" "whole" $quota.inFlight "sharers" $sharers) | int64)
    "calls_per_minute" (include "wecom-meeting-proxy.part" (dict "name" "callsPerMinute" "whole" $quota.callsPerMinute "sharers" $sharers) | int64)
    "calls_per_hour" (include "wecom-meeting-proxy.part" (dict "name" "callsPerHour" "whole" $quota.callsPerHour "sharers" $sharers) | int64))
  "cache" (dict "max_bytes" (printf "%dMiB" (int64 .Values.cacheMebibytes)))
-}}
{{- include "wecom-meeting-proxy.tomlTable" (dict "path" "" "table" (mustMergeOverwrite (deepCopy .Values.config) $follows)) | trim -}}
{{- end -}}

{{/* A table of TOML: what it holds itself, and then the tables in it. */}}
{{- define "wecom-meeting-proxy.tomlTable" -}}
{{- $path := .path -}}
{{- range $key, $value := .table }}
{{- if not (or (kindIs "map" $value) (kindIs "invalid" $value) (has $key (list "apps" "callers") | and (include "wecom-meeting-proxy.areTables" $value))) }}
{{ $key }} = {{ include "wecom-meeting-proxy.tomlValue" $value }}
{{- end }}
{{- end }}
{{- range $key, $value := .table }}
{{- $inner := ternary $key (printf "%s.%s" $path $key) (empty $path) -}}
{{- if and (kindIs "map" $value) $value }}

[{{ $inner }}]
{{- include "wecom-meeting-proxy.tomlTable" (dict "path" $inner "table" $value) }}
{{- else if has $key (list "apps" "callers") | and (include "wecom-meeting-proxy.areTables" $value) }}
{{- range $value }}

[[{{ $inner }}]]
{{- include "wecom-meeting-proxy.tomlTable" (dict "path" $inner "table" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "wecom-meeting-proxy.areTables" -}}
{{- if and (kindIs "slice" .) . }}{{ if kindIs "map" (first .) }}true{{ end }}{{ end -}}
{{- end -}}

{{/* A value of TOML. Text is written as in JSON, which is also TOML; and a number of YAML may be any, where TOML tells whole
     ones from others. */}}
{{- define "wecom-meeting-proxy.tomlValue" -}}
{{- if kindIs "string" . -}}
{{ toJson . }}
{{- else if kindIs "bool" . -}}
{{ . }}
{{- else if kindIs "slice" . -}}
{{- $values := list -}}
{{- range . }}{{ $values = append $values (include "wecom-meeting-proxy.tomlValue" .) }}{{ end -}}
[{{ join ", " $values }}]
{{- else if kindIs "map" . -}}
{{- $pairs := list -}}
{{- range $key, $value := . }}{{ $pairs = append $pairs (printf "%s = %s" $key (include "wecom-meeting-proxy.tomlValue" $value)) }}{{ end -}}
{ {{ join ", " $pairs }} }
{{- else if eq (floor .) (float64 .) -}}
{{ int64 . }}
{{- else -}}
{{ . }}
{{- end -}}
{{- end -}}

{{/* What every container of ours runs with. */}}
{{- define "wecom-meeting-proxy.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop:
    - ALL
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
{{- end -}}
