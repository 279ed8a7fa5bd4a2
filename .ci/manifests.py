"""Holds what no schema holds of rendered manifests: see .ci/manifests, which renders them.

What the oldest and the newest kubectl and Helm make of them is the same; kustomize and the chart say the same; what follows
from something else does so; and nothing is run with more rights than it needs. The settings in them are written out.
"""

import base64
import re
import sys
import tomllib
from pathlib import Path

import yaml
from cloudcoil.models.prometheus_operator.v1 import PrometheusRule, ServiceMonitor

OLDEST, NEWEST, SETTINGS = map(Path, sys.argv[1:])

# WeCom's limits for a corp, whoever asks.
PER_MINUTE, PER_HOUR = 10_000, 150_000

# What is left when all that it takes to end is over.
SPARE_SECONDS = 5

faults = []


def hold(true, what):
    if not true:
        faults.append(what)


def documents(file):
    found = {}
    for document in yaml.safe_load_all(file.read_text()):
        if document:
            key = (document["kind"], document["metadata"]["name"])
            hold(key not in found, f"{file.name}: {key} is there twice")
            found[key] = document
    return found


def of_kind(rendered, kind):
    return [document for (its, _), document in sorted(rendered.items()) if its == kind]


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def mebibytes(text):
    return int(re.fullmatch(r"(\d+)Mi[B]?", text).group(1))


def the_service(rendered):
    (it,) = [d for d in of_kind(rendered, "Deployment") if d["metadata"]["name"] != "wecom-simulator"]
    return it


def settings_of(rendered):
    (config,) = of_kind(rendered, "ConfigMap")
    return config["data"]["config.toml"]


def restricted(name, deployment):
    """The Pod Security Standard of that name, and more."""
    pod = deployment["spec"]["template"]["spec"]
    security = pod["securityContext"]
    hold(security["runAsNonRoot"] is True and security["runAsUser"] == security["runAsGroup"] == 65532, f"{name}: the user")
    hold(security["seccompProfile"] == {"type": "RuntimeDefault"}, f"{name}: seccomp")
    hold(pod["automountServiceAccountToken"] is False, f"{name}: a token is mounted")
    hold(pod["enableServiceLinks"] is False, f"{name}: service links")
    hold(not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), f"{name}: the host's")
    for container in pod["containers"]:
        wanted = {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        }
        hold(container["securityContext"] == wanted, f"{name}: rights of {container['name']}")
        hold("env" not in container and "envFrom" not in container, f"{name}: variables, which are not read again")
        for mount in container.get("volumeMounts", []):
            hold("subPath" not in mount and mount["readOnly"] is True, f"{name}: how {mount['name']} is mounted")
    for volume in pod.get("volumes", []):
        hold({"configMap", "secret"} & set(volume), f"{name}: volume {volume['name']}")


def follows(name, rendered):
    """What is said in two places is the same in both."""
    deployment = the_service(rendered)
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    settings = tomllib.loads(settings_of(rendered))

    server = settings["server"]
    end = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    end += seconds(server["drain_delay"]) + seconds(server["drain_timeout"]) + SPARE_SECONDS
    hold(pod["terminationGracePeriodSeconds"] == end, f"{name}: terminationGracePeriodSeconds is not {end}")

    # See docs/runbook.md.
    cache = mebibytes(settings["cache"]["max_bytes"])
    resources = container["resources"]
    hold(mebibytes(resources["requests"]["memory"]) == -(-cache * 3 // 2) + 40, f"{name}: memory asked for")
    hold(mebibytes(resources["limits"]["memory"]) == 2 * (cache + 40), f"{name}: memory at most")

    autoscaler = of_kind(rendered, "HorizontalPodAutoscaler")
    hold(bool(autoscaler) != ("replicas" in deployment["spec"]), f"{name}: who says how many")
    sharers = autoscaler[0]["spec"]["maxReplicas"] if autoscaler else deployment["spec"]["replicas"]
    surge = deployment["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
    if not name.endswith("base"):
        wecom = settings["wecom"]
        for key, usual, limit in (
            ("calls_per_minute", 8_000, PER_MINUTE),
            ("calls_per_hour", 120_000, PER_HOUR),
            ("max_in_flight", 64, None),
        ):
            hold(wecom[key] == usual // sharers, f"{name}: {key} is not {usual} divided by {sharers}")
            if limit and sharers >= 4:
                hold(wecom[key] * (sharers + surge) <= limit, f"{name}: {key} while pods are replaced")

    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    hold(server["listen"] == f"0.0.0.0:{ports['http']}", f"{name}: where callers come in")
    hold(settings["admin"]["listen"] == f"0.0.0.0:{ports['admin']}", f"{name}: where operators come in")
    for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        hold(container[probe]["httpGet"] == {"path": path, "port": "admin"}, f"{name}: {probe}")

    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    hold(container["args"] == ["serve", "--config", mounts["config"] + "/config.toml"], f"{name}: which settings")
    for app in settings["wecom"]["apps"]:
        hold(app["secret_file"].startswith(mounts["secret"] + "/"), f"{name}: the secret of {app['name']}")
    hold("mode" in settings["access"], f"{name}: access.mode is not said")

    # Whatever selects pods selects these, and all of these.
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selectors = [deployment["spec"]["selector"]["matchLabels"]]
    selectors += [spread["labelSelector"]["matchLabels"] for spread in pod["topologySpreadConstraints"]]
    selectors += [d["spec"]["selector"]["matchLabels"] for d in of_kind(rendered, "PodDisruptionBudget")]
    ours = [d for d in of_kind(rendered, "NetworkPolicy") if d["metadata"]["name"] != "wecom-simulator"]
    selectors += [d["spec"]["podSelector"]["matchLabels"] for d in ours]
    services = [d for d in of_kind(rendered, "Service") if d["metadata"]["name"] != "wecom-simulator"]
    selectors += [d["spec"]["selector"] for d in services]
    for selector in selectors:
        hold(selector.items() <= labels.items(), f"{name}: {selector} does not select our pods")
    for monitor in of_kind(rendered, "ServiceMonitor"):
        selector = monitor["spec"]["selector"]["matchLabels"].items()
        seen = [d for d in services if selector <= d["metadata"]["labels"].items()]
        ports = [port["name"] for d in seen for port in d["spec"]["ports"]]
        hold(ports == [endpoint["port"] for endpoint in monitor["spec"]["endpoints"]], f"{name}: what is scraped")

    # One denies everything to all that is ours, and what is let in goes to the two ports alone.
    deny = [d for d in ours if d["metadata"]["name"].endswith("-default-deny")]
    hold(len(deny) == 1 and not {"ingress", "egress"} & set(deny[0]["spec"]), f"{name}: default-deny")
    for policy in of_kind(rendered, "NetworkPolicy"):
        hold(sorted(policy["spec"]["policyTypes"]) == ["Egress", "Ingress"], f"{name}: {policy['metadata']['name']}")
        rules = policy["spec"].get("ingress", []) + policy["spec"].get("egress", [])
        hold(all(rule.get("ports") and (rule.get("from") or rule.get("to")) for rule in rules), f"{name}: an open rule")


def essentials(rendered):
    """What kustomize and the chart must not differ in: all but names, labels and what chooses by them."""
    deployment = the_service(rendered)
    spec = deployment["spec"]
    pod = dict(spec["template"]["spec"])
    pod["topologySpreadConstraints"] = [
        {key: value for key, value in spread.items() if key != "labelSelector"}
        for spread in pod["topologySpreadConstraints"]
    ]
    # The names of what is made by a generator end in a digest.
    pod["volumes"] = re.sub(r"(wecom-meeting-proxy)-[a-z0-9]{10}\b", r"\1", yaml.safe_dump(pod["volumes"]))
    found = {
        "pod": pod,
        "replicas": spec.get("replicas"),
        "strategy": spec["strategy"],
        "settings": tomllib.loads(settings_of(rendered)),
        "kinds": sorted((kind, name.removesuffix("-admin")) for kind, name in rendered
                        if kind not in ("Namespace", "ConfigMap", "Secret")),
    }
    for document in of_kind(rendered, "HorizontalPodAutoscaler"):
        found["autoscaler"] = document["spec"]
    for document in of_kind(rendered, "PodDisruptionBudget"):
        found["budget"] = {key: value for key, value in document["spec"].items() if key != "selector"}
    for document in of_kind(rendered, "Service"):
        found["service " + document["metadata"]["name"]] = {
            key: value for key, value in document["spec"].items() if key != "selector"}
    for document in of_kind(rendered, "NetworkPolicy"):
        found["policy " + document["metadata"]["name"]] = {
            key: value for key, value in document["spec"].items() if key != "podSelector"}
    for document in of_kind(rendered, "ServiceMonitor"):
        found["monitor"] = document["spec"]["endpoints"]
        # What the rules know us by.
        job = document["spec"]["jobLabel"]
        found["jobs"] = {d["metadata"]["labels"].get(job) for d in of_kind(rendered, "Service")}
        hold(found["jobs"] == {"wecom-meeting-proxy"}, f"the job is called {found['jobs']}")
    for document in of_kind(rendered, "PrometheusRule"):
        found["rules"] = document["spec"]
    for document in of_kind(rendered, "Deployment"):
        if document["metadata"]["name"] == "wecom-simulator":
            found["simulator"] = document["spec"]["template"]["spec"]
    return found


def model(name, document):
    """The Prometheus Operator's, by its models: whatever they do not know is missing when it is told again."""
    kind = {"ServiceMonitor": ServiceMonitor, "PrometheusRule": PrometheusRule}[document["kind"]]
    told = kind.model_validate(document).model_dump(mode="json", by_alias=True, exclude_unset=True)
    hold(told == document, f"{name}: {document['kind']} has what its model does not know")


def main():
    newest = {}
    for file in sorted(NEWEST.glob("*.yaml")):
        name = file.stem
        rendered = documents(file)
        newest[name] = rendered
        hold(rendered == documents(OLDEST / file.name), f"{name}: old and new clients make something else of it")
        for deployment in of_kind(rendered, "Deployment"):
            restricted(f"{name}: {deployment['metadata']['name']}", deployment)
        for namespace in of_kind(rendered, "Namespace"):
            enforced = namespace["metadata"]["labels"].get("pod-security.kubernetes.io/enforce")
            hold(enforced == "restricted", f"{name}: what the namespace enforces")
        for kind in ("ServiceMonitor", "PrometheusRule"):
            for document in of_kind(rendered, kind):
                model(name, document)
        for account in of_kind(rendered, "ServiceAccount"):
            hold(account["automountServiceAccountToken"] is False, f"{name}: the account's token")
        follows(name, rendered)
        (SETTINGS / f"{name}.toml").write_text(settings_of(rendered))
    for kind in ("ServiceMonitor", "PrometheusRule"):
        hold(of_kind(newest["kustomize-monitored"], kind), f"the component has no {kind}")

    for name in ("demo", "production", "monitored"):
        ours, theirs = essentials(newest[f"kustomize-{name}"]), essentials(newest[f"helm-{name}"])
        for key in sorted(ours.keys() | theirs.keys()):
            hold(ours.get(key) == theirs.get(key), f"{name}: kustomize and the chart differ in {key}:\n"
                 f"  {ours.get(key)}\n  {theirs.get(key)}")

    essentials(newest["helm-everything"])

    (secret,) = of_kind(newest["helm-demo"], "Secret")
    (same,) = of_kind(newest["kustomize-demo"], "Secret")
    hold(secret["data"] == same["data"], "demo: the secrets differ")
    (SETTINGS / "demo.secret").write_bytes(base64.b64decode(secret["data"]["default"]))

    # A changed setting is a changed pod.
    for name, rendered in newest.items():
        pod = the_service(rendered)["spec"]["template"]
        (config,) = of_kind(rendered, "ConfigMap")
        if name.startswith("kustomize"):
            hold(re.search("-[a-z0-9]{10}$", config["metadata"]["name"]), f"{name}: the digest of the settings")
        else:
            hold("checksum/config" in (pod["metadata"].get("annotations") or {}), f"{name}: the digest of the settings")
        named = [volume["configMap"]["name"] for volume in pod["spec"]["volumes"] if "configMap" in volume]
        hold(named == [config["metadata"]["name"]], f"{name}: which ConfigMap is mounted")

    version = re.search(r'(?m)^version = "(.*)"', Path("Cargo.toml").read_text()).group(1)
    chart = yaml.safe_load(Path("deploy/helm/wecom-meeting-proxy/Chart.yaml").read_text())
    hold(chart["appVersion"] == version, f"the chart is of {chart['appVersion']}, and the service of {version}")
    for name in ("kustomize-production", "helm-production"):
        (container,) = the_service(newest[name])["spec"]["template"]["spec"]["containers"]
        hold(container["image"] == f"wecom-meeting-proxy:{version}", f"{name}: the image is {container['image']}")

    for fault in faults:
        print(fault)
    print(f"{len(newest)} files, {sum(map(len, newest.values()))} manifests, {len(faults)} faults")
    sys.exit(1 if faults else 0)


main()
