"""A Prometheus and a node_exporter of our own, on the loopback alone, for as long as they are needed.

They find the figures of memory_coordinator as they would on any host: node_exporter reads the file,
as another user, and Prometheus asks node_exporter and weighs the alerts.
"""

import http
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import cases

REPOSITORY = Path(__file__).resolve().parents[2]
RULES = REPOSITORY / "src" / "prometheus" / "memory_coordinator.rules.yml"
FEDERATE = REPOSITORY / "src" / "prometheus" / "federate.yml"
DASHBOARD = REPOSITORY / "src" / "grafana" / "memory_coordinator.json"

JOB = "node"

_CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs: [{{job_name: {job}, static_configs: [{{targets: ["{target}"]}}]}}]
"""

# What a proxy of this machine would make of the loopback is not asked.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _impatient(rules: str) -> str:
    """The rules, but nothing may last longer than 2 s before it is told of."""
    rules = re.sub(r"\bfor: \w+", "for: 1s", rules)
    return rules.replace("> 60 + 3 *", "> 2 + 3 *")


class WrongQuestion(cases.Failure):
    """An expression that Prometheus does not take, and why."""


class Prometheus:
    """Both of them; a context. A file in `textfiles` whose name ends in .prom is scraped every second."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="memory_coordinator.prometheus."))
        self._directory.chmod(0o755)
        self.textfiles = self._directory / "textfiles"
        self.textfiles.mkdir(mode=0o755)
        self.exporter = f"127.0.0.1:{cases.free_port()}"
        self.address = f"127.0.0.1:{cases.free_port()}"
        self._processes = []

    def __enter__(self) -> "Prometheus":
        (self._directory / "rules.yml").write_text(_impatient(RULES.read_text()))
        (self._directory / "prometheus.yml").write_text(self._settings())
        self._start_sources()
        self._start(
            ["prometheus", f"--config.file={self._directory}/prometheus.yml",
             f"--storage.tsdb.path={self._directory}/data", f"--web.listen-address={self.address}"]
        )  # fmt: skip
        return self

    def _settings(self) -> str:
        return _CONFIG.format(job=JOB, target=self.exporter)

    def _start_sources(self) -> None:
        user = "nobody" if os.geteuid() == 0 else None
        self._start(
            ["prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
             f"--collector.textfile.directory={self.textfiles}", f"--web.listen-address={self.exporter}"],
            user,
        )  # fmt: skip

    def __exit__(self, *_) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._directory)

    def _start(self, words: list, user=None) -> None:
        log = open(self._directory / f"{words[0]}.log", "w")
        with log:
            self._processes.append(
                subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=user)
            )

    def logs(self) -> str:
        return "".join(path.read_text() for path in self._directory.glob("*.log"))

    def _get(self, path: str, **parameters: str):
        query = urllib.parse.urlencode(parameters)
        with _opener.open(f"http://{self.address}/api/v1/{path}?{query}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list:
        """The present series of the expression, as (labels, value); none while nobody answers yet.

        An expression that is wrong is a WrongQuestion.
        """
        try:
            found = self._get("query", query=expression)["result"]
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.SERVICE_UNAVAILABLE:  # it is starting
                raise WrongQuestion(f"{expression}: {error.read().decode()}") from error
            return []
        except OSError:
            return []
        return [(series["metric"], float(series["value"][1])) for series in found]

    def by_domain(self, name: str) -> dict:
        return {labels["domain"]: value for labels, value in self.query(f"memory_coordinator_domain_{name}")}

    def firing(self) -> set:
        """The names of the alerts that would be sent now."""
        return {labels["alertname"] for labels, _ in self.query('ALERTS{alertstate="firing"}')}


class CentralPrometheus(Prometheus):
    """One that has no exporter and takes over what another knows, as set in FEDERATE."""

    def __init__(self, source: Prometheus) -> None:
        super().__init__()
        self._source = source

    def _settings(self) -> str:
        text = re.sub(r"targets: .*", f"targets: ['{self._source.address}']", FEDERATE.read_text())
        text = re.sub(r"- /\S+/memory_coordinator.rules.yml", "- rules.yml", text)
        return "global: {scrape_interval: 1s, evaluation_interval: 1s}\n" + text

    def _start_sources(self) -> None:
        pass


def dashboard_expressions(instance: str) -> list:
    """What the dashboard asks, as Grafana would have put it for all domains of the instance."""
    dashboard = json.loads(DASHBOARD.read_text())
    values = {"job": JOB, "instance": instance, "domain": ".*", "__rate_interval": "10s"}
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return [re.sub(r"\$(\w+)", lambda match: values[match[1]], text) for text in asked]


def metric_names(expression: str) -> set:
    return set(re.findall(r"\bmemory_coordinator_\w+", expression))
