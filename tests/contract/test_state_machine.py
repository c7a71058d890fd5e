"""The state machine fits the code: names, waits, failures, and every expression evaluated for real."""

import ast
import importlib
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonata import Jsonata

from findings_exporter import RELEASE
from findings_exporter.aws import lock
from findings_exporter.model import errors, plan
from findings_exporter.model.errors import Failure
from findings_exporter.notification import remediation
from findings_exporter.notification.remediation import REMEDIATIONS
from findings_exporter.steps import notify, start_report
from findings_exporter.steps._results import failed
from tests.contract.interpreter import StepError, Walk, evaluate, expressions, states_named
from tests.contract.parts import (
    ANALYTICS,
    FUNCTIONS,
    MACHINE,
    MACHINE_TEXT,
    MAPS,
    PACKAGE,
    PART_BYTES,
    RESOURCES,
    STATES,
    TASKS,
    TEMPLATE,
    camel,
    catches,
    folder_of,
    of_type,
)

EVERY_STATE = pytest.mark.parametrize("name", STATES)
EVERY_TASK = pytest.mark.parametrize("name", TASKS)
SERVICE_ERRORS = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
}
SETUP_ERROR = "AccessDeniedError"
ANALYZE, CUT, PART = "Analyze Report", "Cut Report", "Analyze Part"
OWNERS = "Notify Owners"
ANALYSIS = {CUT, PART, ANALYZE}
"""The tasks whose failure does not fail the export, and is recorded with it."""
CHANGE_NO_END = ANALYSIS | {OWNERS}
"""The tasks that never change how the execution ends: the messages to owners come after the run was notified."""
MOST_PARTS = 300
"""Of a report of 150 GB: more than Inspector is known to write."""
FAILURE = {"error": "InspectorBusy", "cause": "as caught"}
SETUP = {"result": "failed", "failed": [{"check": "key"}], "unknown": []}
DELIVERY = {"key": "inspector/reports/x.json", "size_bytes": PART_BYTES, "nothing_found": None}
LARGE = DELIVERY | {"size_bytes": PART_BYTES + 1}
PARTS = [
    {"number": 1, "begin": 0, "end": 600},
    {"number": 2, "begin": 600, "end": 1000},
    {"number": 3, "begin": 1000, "end": 1100},
]
ANSWERS: dict[str, list[Any]] = {
    "Plan Export": [{"state": "PLANNED", "plan": {}}],
    "Acquire Lock": [{"state": "ACQUIRED"}],
    "Start Report": [{"state": "STARTED", "report_id": "id", "wait_seconds": 33}],
    "Check Report": [{"state": "IN_PROGRESS", "wait_seconds": 44}, {"state": "FINISHED", "found_nothing": False}],
    "Cancel Report": [{"state": "NONE"}],
    "Release Lock": [{"state": "RELEASED"}],
    "Check Setup": [{"state": "CHECKED", "setup": SETUP}],
    "Verify Report": [{"state": "VERIFIED", "delivery": DELIVERY}],
    "Cut Report": [{"state": "CUT", "parts": PARTS}],
    "Analyze Part": [{"state": "PART_ANALYZED"}],
    "Analyze Report": [{"state": "ANALYZED"}],
    "Record Run": [{"state": "NOTIFICATION_PENDING", "outcome": "SUCCEEDED", "failure": None}],
    "Notify": [{"state": "NOTIFIED", "failure": None, "owners_due": False}],
    "Notify Owners": [{"state": "OWNERS_NOTIFIED", "sent": 3}],
}
TO_OWNERS = ANSWERS | {"Notify": [{"state": "NOTIFIED", "failure": None, "owners_due": True}]}
IN_PARTS = ANSWERS | {"Verify Report": [{"state": "VERIFIED", "delivery": LARGE}]}
IN_WORDS = FAILURE | {"cause": "in words"}
FAILED_ANSWERS = ANSWERS | {
    "Record Run": [{"state": "NOTIFICATION_PENDING", "outcome": "FAILED", "failure": IN_WORDS}],
    "Notify": [{"state": "NOTIFIED", "failure": IN_WORDS}],
}
FAILURE_PATH = [
    "Cancel Report",
    "Release Lock",
    "Run Failed?",
    "Setup to Blame?",
    "Record Run",
    "Notification Needed?",
    "Notify",
    "Owners to Notify?",
    "Export Failed?",
    "Export Failed",
]


def next_states(state: dict[str, Any]) -> Iterator[str]:
    """Every state that may follow."""
    for each in [state, *state.get("Choices", []), *state.get("Catch", [])]:
        yield from (each[key] for key in ("Next", "Default") if key in each)
    if "ItemProcessor" in state:
        yield state["ItemProcessor"]["StartAt"]


class TestForm:
    def test_every_state_is_reached_and_exists(self) -> None:
        reached, ahead = set(), {MACHINE["StartAt"]}
        while ahead:
            name = ahead.pop()
            reached.add(name)
            ahead |= set(next_states(STATES[name])) - reached
        assert reached == set(STATES)

    @EVERY_STATE
    def test_a_state_says_in_one_line_what_it_is_for(self, name: str) -> None:
        comment = STATES[name]["Comment"]
        assert comment.endswith(".")
        assert "\n" not in comment

    @EVERY_STATE
    def test_a_states_name_shows_its_kind(self, name: str) -> None:
        assert name.endswith("?") is (STATES[name]["Type"] == "Choice")
        assert name.startswith("Wait for") is (STATES[name]["Type"] == "Wait")
        assert all(word[0].isupper() or word in {"for", "to"} for word in name.split())

    @pytest.mark.parametrize("expression", sorted(set(expressions(MACHINE))))
    def test_an_expression_compiles_and_uses_only_what_is_assigned_first(self, expression: str) -> None:
        Jsonata(expression)
        used = set(re.findall(r"\$([a-z_]+)\b(?!\()", expression)) - {"states"}
        assert used <= set(STATES["Prepare Run"]["Assign"])

    def test_nothing_is_assigned_that_was_not_prepared(self) -> None:
        prepared = set(STATES["Prepare Run"]["Assign"])
        for state in STATES.values():
            for each in [state, *state.get("Catch", []), *state.get("Choices", [])]:
                assert set(each.get("Assign", {})) <= prepared

    def test_it_begins_with_the_codes_release(self) -> None:
        assert STATES["Prepare Run"]["Assign"]["release"] == RELEASE
        assert all(task["Arguments"]["Payload"]["release"] == "{% $release %}" for task in TASKS.values())


class TestMaps:
    @pytest.mark.parametrize("name", MAPS)
    def test_a_map_leaves_functions_for_others_in_a_fresh_account(self, name: str) -> None:
        assert MAPS[name]["MaxConcurrency"] <= 5
        assert MAPS[name]["ItemProcessor"]["ProcessorConfig"] == {"Mode": "INLINE"}

    @pytest.mark.parametrize("name", MAPS)
    def test_a_map_keeps_its_results_small(self, name: str) -> None:
        (end,) = [each for each in MAPS[name]["ItemProcessor"]["States"].values() if each["Type"] == "Succeed"]
        assert len(json.dumps(end["Output"])) < 50
        assert "$states.result" not in json.dumps(MAPS[name]["Output"])

    def test_states_have_names_of_their_own(self) -> None:
        assert len(STATES) == len(MACHINE["States"]) + sum(len(each["ItemProcessor"]["States"]) for each in MAPS.values())

    def test_the_plan_of_the_most_parts_fits_what_a_state_may_pass_on(self) -> None:
        begin = (MOST_PARTS - 1) * PART_BYTES
        parts = [{"number": MOST_PARTS, "begin": begin, "end": begin + PART_BYTES}] * MOST_PARTS
        assert len(json.dumps({"state": "CUT", "parts": parts})) < 256 * 1024 / 8


class TestTasks:
    def test_each_task_is_a_folder_and_each_folder_of_the_workflow_a_task(self) -> None:
        folders = {path.parent.name for path in FUNCTIONS.glob("*/app.py")}
        of_all_reports = {"plan_reports", "finish_reports"}
        assert {folder_of(name) for name in TASKS} == folders - {"clean_up", "summarize", "preview_export"} - of_all_reports

    @EVERY_TASK
    def test_a_task_invokes_its_own_function_and_waits_longer_than_it_runs(self, name: str) -> None:
        function = f"{camel(folder_of(name))}Function"
        assert TASKS[name]["Arguments"]["FunctionName"] == f"${{{function}Arn}}"
        default = TEMPLATE["Globals"]["Function"]["Timeout"]
        assert TASKS[name]["TimeoutSeconds"] > of_type("AWS::Serverless::Function")[function].get("Timeout", default)

    @EVERY_TASK
    def test_a_task_retries_transient_errors_and_nothing_else(self, name: str) -> None:
        *retries, throttled = TASKS[name]["Retry"]
        retried = [error for retry in retries for error in retry["ErrorEquals"]]
        ours = {each.__name__ for each in errors.TransientError.__subclasses__()}
        assert all(not each.__subclasses__() for each in errors.TransientError.__subclasses__())
        assert set(retried) == (SERVICE_ERRORS | ours) - {"Lambda.TooManyRequestsException"}
        assert len(retried) == len(set(retried))
        assert all(retry["MaxAttempts"] == 1 or retry["BackoffRate"] > 1 for retry in retries)
        # A fresh account has a concurrency of 10: whoever is throttled waits for minutes, since nothing is broken.
        assert throttled["ErrorEquals"] == ["Lambda.TooManyRequestsException"]
        assert throttled["MaxAttempts"] * throttled["MaxDelaySeconds"] > 600

    @EVERY_TASK
    def test_what_outlasts_a_tasks_retries_is_explained(self, name: str) -> None:
        retried = {error for retry in TASKS[name]["Retry"] for error in retry["ErrorEquals"]}
        assert {error.replace("States.", "Workflow.") for error in retried} <= set(REMEDIATIONS)

    def test_the_workflows_own_errors_are_explained(self) -> None:
        named = set(re.findall(r"'(Workflow\.\w+)'", MACHINE_TEXT))
        assert named
        assert named <= set(REMEDIATIONS)

    def test_what_no_task_can_catch_is_explained(self) -> None:
        assert {"States.Runtime", "States.DataLimitExceeded"} <= set(REMEDIATIONS)

    @EVERY_TASK
    def test_a_task_catches_everything_and_keeps_the_first_failure(self, name: str) -> None:
        *named, catch = catches(name)
        assert catch["ErrorEquals"] == ["States.ALL"]
        if name == OWNERS:
            assert "Assign" not in catch
            return
        # An analysis never fails an export.
        assert set(catch["Assign"]) == {"analysis_failure" if name in ANALYSIS else "failure"}
        assert [each["ErrorEquals"] for each in named] == ([["Analysis.PartNotAnalyzed"]] if name == PART else [])

    @pytest.mark.parametrize("name", sorted(ANALYSIS))
    def test_an_analysis_that_takes_too_long_is_tried_once_more_so_that_a_success_is_notified_soon(self, name: str) -> None:
        retry = next(each for each in TASKS[name]["Retry"] if "Sandbox.Timedout" in each["ErrorEquals"])
        assert set(retry["ErrorEquals"]) == {"Sandbox.Timedout", "Runtime.ExitError", "States.Timeout"}
        assert retry["MaxAttempts"] == 1
        assert (1 + retry["MaxAttempts"]) * TASKS[name]["TimeoutSeconds"] < 31 * 60

    def test_with_all_their_tries_the_analysis_of_most_parts_ends_before_the_workflow_does(self) -> None:
        def with_all_tries(name: str) -> int:
            tries = 1 + sum(each["MaxAttempts"] for each in TASKS[name]["Retry"][:-1])
            return int(tries * TASKS[name]["TimeoutSeconds"])

        # Each part takes as long as its function may: five at a time.
        parts = (
            MOST_PARTS
            / MAPS["Analyze Parts"]["MaxConcurrency"]
            * of_type("AWS::Serverless::Function")["AnalyzePartFunction"]["Timeout"]
        )
        seconds = with_all_tries(CUT) + parts + with_all_tries(ANALYZE) + 600
        assert timedelta(hours=plan.MAX_DEADLINE_HOURS, seconds=seconds) < timedelta(seconds=MACHINE["TimeoutSeconds"])

    def test_retries_outlast_a_function_that_may_still_create_and_a_notification_that_died(self) -> None:
        functions = of_type("AWS::Serverless::Function")
        for task, needed in (
            ("Release Lock", functions["StartReportFunction"]["Timeout"] + start_report.OUTLIVE_MARGIN.total_seconds()),
            ("Cancel Report", functions["StartReportFunction"]["Timeout"] + start_report.OUTLIVE_MARGIN.total_seconds()),
            ("Notify", functions["NotifyFunction"]["Timeout"] + notify.CLAIM_MARGIN.total_seconds()),
            (OWNERS, functions["NotifyOwnersFunction"]["Timeout"] + notify.CLAIM_MARGIN.total_seconds()),
        ):
            retry, _ = TASKS[task]["Retry"]
            waited = sum(retry["IntervalSeconds"] * retry["BackoffRate"] ** count for count in range(retry["MaxAttempts"]))
            assert waited > needed + 1

    def test_its_time_limit_is_the_locks_and_longer_than_any_deadline(self) -> None:
        assert timedelta(seconds=MACHINE["TimeoutSeconds"]) == lock.EXECUTION_TIMEOUT
        assert timedelta(hours=plan.MAX_DEADLINE_HOURS + 1) < lock.EXECUTION_TIMEOUT


class TestAnswers:
    CODE = {  # noqa: RUF012
        "Plan Export": "steps.plan_export",
        "Acquire Lock": "steps.acquire_lock",
        "Verify Report": "steps.verify_report",
        "Record Run": "steps.record_run",
    }

    @staticmethod
    def answered(module: str) -> set[str]:
        """Every ``state`` that a module's code can answer."""
        code = importlib.import_module(f"findings_exporter.{module}")
        tree = ast.parse(Path(str(code.__file__)).read_text(encoding="utf-8"))
        found: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "failed":
                found |= {failed(Failure("Any", "any"))["state"]}
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "state":
                        found |= {
                            getattr(code, each.id) for each in ast.walk(value) if isinstance(each, ast.Name) and each.id.isupper()
                        }
                        found |= {str(each.value) for each in ast.walk(value) if isinstance(each, ast.Constant)}
        return found

    @staticmethod
    def understood(task: str) -> set[str]:
        """Every ``state`` that the task and the choice after it name."""
        choice = STATES[TASKS[task]["Next"]]
        texts = [*expressions(TASKS[task].get("Assign", {})), *(expressions(choice) if choice["Type"] == "Choice" else ())]
        return {state for text in texts for state in states_named(text)}

    @pytest.mark.parametrize(("task", "module"), CODE.items())
    def test_the_choice_knows_every_answer(self, task: str, module: str) -> None:
        assert self.understood(task) == self.answered(module)

    @pytest.mark.parametrize("task", ["Release Lock", "Check Setup", "Analyze Report", "Notify", OWNERS])
    def test_a_step_without_a_choice_has_its_answers_known(self, task: str) -> None:
        own = {ANALYZE: ANALYTICS / "pipeline.py", "Check Setup": FUNCTIONS / "check_setup/app.py"}
        code = own.get(task, PACKAGE / f"steps/{folder_of(task)}.py").read_text(encoding="utf-8")
        answered = {each for line in re.findall(r'"state": (.*)', code) for each in re.findall(r'"([A-Z_]+)"', line)}
        assert answered
        assert self.understood(task) == (answered if task not in {"Check Setup", OWNERS} else set())  # which decide nothing

    def test_so_do_the_choices_about_parts(self) -> None:
        code = (ANALYTICS / "part_pipeline.py").read_text(encoding="utf-8")
        answered = {each for line in re.findall(r'"state": (.*)', code) for each in re.findall(r'"([A-Z_]+)"', line)}
        assert self.understood(CUT) | self.understood(PART) == answered == {"CUT", "PART_ANALYZED", "NOT_ANALYZED"}

    def test_so_do_the_choices_about_reports(self) -> None:
        started, checked = self.understood("Start Report"), self.understood("Check Report")
        assert started == self.answered("steps.start_report")
        assert checked == self.answered("steps.check_report")
        assert started == {"STARTED", "BUSY", "FAILED"}
        assert checked == {"IN_PROGRESS", "FINISHED", "FAILED"}


class TestWalk:
    def test_a_run_goes_from_plan_to_success(self) -> None:
        walk = Walk(ANSWERS).run()
        assert [name for name in walk.path if name in TASKS] == [
            "Plan Export", "Acquire Lock", "Start Report", "Check Report", "Check Report", "Release Lock", "Verify Report",
            "Analyze Report", "Record Run", "Notify",
        ]  # fmt: skip
        assert walk.waits == [33, 44]
        assert walk.path[-1] == "Export Succeeded"
        assert walk.output == {"outcome": "SUCCEEDED", "delivery": DELIVERY}

    def test_each_step_gets_what_its_handler_reads(self) -> None:
        payloads = Walk(ANSWERS | {"Check Report": [{"state": "FINISHED", "found_nothing": True}]}).run().payloads
        execution = {
            "arn": "arn:aws:states:eu-central-1:123456789012:execution:findings-ExportFindings:run-1",
            "started_at": "2026-11-23T03:00:00.000Z",
        }
        common = {"release": RELEASE, "execution": execution}
        assert payloads["Plan Export"] == common | {"input": {"notify": True}}
        assert payloads["Verify Report"] == common | {"found_nothing": True}
        assert payloads["Analyze Report"] == common | {"delivery": DELIVERY, "parts": None}
        assert payloads["Record Run"] == common | {
            "failure": None, "delivery": DELIVERY, "duplicate": False, "analysis_failure": None,
        }  # fmt: skip
        for name in ("Acquire Lock", "Start Report", "Check Report", "Release Lock", "Notify"):
            assert payloads[name] == common

    def test_a_report_that_is_larger_than_a_part_is_divided_analyzed_in_parts_and_merged(self) -> None:
        walk = Walk(IN_PARTS).run()
        of_a_part = ["Analyze Part", "Part Analyzed?", "Part Finished"]
        assert walk.path[walk.path.index("Report Verified?") :] == [
            "Report Verified?", "Cut Report", "Report Cut?", "Analyze Parts", *of_a_part, *of_a_part, *of_a_part, "Analyze Report",
            "Record Run", "Notification Needed?", "Notify", "Owners to Notify?", "Export Failed?", "Export Succeeded",
        ]  # fmt: skip
        common = {name: walk.payloads["Plan Export"][name] for name in ("release", "execution")} | {"delivery": LARGE}
        assert walk.payloads[CUT] == common | {"part_bytes": PART_BYTES}
        assert walk.payloads[PART] == common | {"part": PARTS[-1]}
        assert walk.payloads[ANALYZE] == common | {"parts": PARTS}

    @pytest.mark.parametrize("delivery", [DELIVERY, LARGE | {"nothing_found": "no_object"}, {"key": None}])
    def test_any_other_report_is_analyzed_as_one(self, delivery: dict[str, Any]) -> None:
        walk = Walk(ANSWERS | {"Verify Report": [{"state": "VERIFIED", "delivery": delivery}]}).run()
        assert CUT not in walk.path
        assert walk.payloads[ANALYZE]["parts"] is None

    def test_a_large_report_is_not_divided_where_the_analysis_is_switched_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(STATES["Prepare Run"]["Assign"], "analysis", "OFF")
        assert not ANALYSIS & set(Walk(IN_PARTS).run().path)

    @pytest.mark.parametrize("name", [CUT, PART])
    def test_a_part_that_is_not_analyzed_ends_the_analysis_and_its_record_says_why(self, name: str) -> None:
        answers = [{"state": "NOT_ANALYZED", "error": "Analysis.ReportMalformed"}]
        walk = Walk(IN_PARTS | {name: answers if name == CUT else [*ANSWERS[PART], *answers]}).run()
        assert walk.path[-1] == "Export Succeeded"
        assert walk.path.count(PART) == (0 if name == CUT else 2)
        assert ANALYZE not in walk.path
        assert walk.payloads["Record Run"]["analysis_failure"] is None
        assert walk.payloads["Record Run"]["failure"] is None

    @pytest.mark.parametrize("answer", [{"state": "CUT"}, {"state": "CUT", "parts": None}])
    def test_a_cut_without_parts_is_recorded_as_the_analyses_failure(self, answer: dict[str, Any]) -> None:
        walk = Walk(IN_PARTS | {CUT: [answer]}).run()
        assert walk.path[-1] == "Export Succeeded"
        assert walk.payloads["Record Run"]["analysis_failure"]["error"] == "Workflow.QueryEvaluationError"

    def test_a_held_lock_and_another_report_are_waited_for(self) -> None:
        answers = ANSWERS | {
            "Acquire Lock": [{"state": "HELD", "wait_seconds": 11, "holder": "x"}, {"state": "ACQUIRED"}],
            "Start Report": [{"state": "BUSY", "wait_seconds": 22}, ANSWERS["Start Report"][0]],
        }
        walk = Walk(answers).run()
        assert walk.waits == [11, 22, 33, 44]
        assert walk.path.count("Wait for Lock") == walk.path.count("Wait for Other Report") == 1
        assert walk.path[-1] == "Export Succeeded"

    def test_a_duplicate_exports_nothing_and_notifies_no_one(self) -> None:
        answers = ANSWERS | {
            "Plan Export": [{"state": "DUPLICATE", "of": "arn"}],
            "Record Run": [{"state": "CLOSED", "outcome": "DUPLICATE", "failure": None}],
        }
        walk = Walk(answers).run()
        assert walk.path == [
            "Prepare Run", "Plan Export", "Export Planned?", "Record Run", "Notification Needed?", "Export Failed?", "Duplicate Recorded",
        ]  # fmt: skip
        assert walk.payloads["Record Run"]["duplicate"] is True

    def test_a_silent_success_notifies_no_one(self) -> None:
        walk = Walk(ANSWERS | {"Record Run": [{"state": "CLOSED", "outcome": "SUCCEEDED", "failure": None}]}).run()
        assert "Notify" not in walk.path
        assert walk.path[-1] == "Export Succeeded"

    @pytest.mark.parametrize("name", ["Plan Export", "Acquire Lock", "Start Report", "Check Report", "Verify Report"])
    def test_a_steps_own_failure_is_cancelled_released_recorded_and_notified(self, name: str) -> None:
        walk = Walk(FAILED_ANSWERS | {name: [{"state": "FAILED", "failure": FAILURE}]}).run()
        assert walk.path[-10:] == FAILURE_PATH
        assert walk.payloads["Record Run"]["failure"] == FAILURE
        assert walk.output == {"Error": "InspectorBusy", "Cause": "in words"}

    @pytest.mark.parametrize("cause", ['{"errorMessage": "x"}', "plain", "", None])
    @pytest.mark.parametrize("name", sorted(TASKS.keys() - CHANGE_NO_END))
    def test_an_error_of_any_step_ends_in_export_failed_through_everything_that_is_left(
        self, name: str, cause: str | None
    ) -> None:
        failure = {"error": "X", "cause": "c"}
        answers = ANSWERS | {
            "Record Run": [{"state": "NOTIFICATION_PENDING", "outcome": "FAILED", "failure": failure}],
            "Notify": [{"state": "NOTIFIED", "failure": failure}],
        }
        if name == "Cancel Report":
            answers |= {"Start Report": [StepError("X", cause)]}
        if name == "Check Setup":
            answers |= {"Start Report": [StepError(SETUP_ERROR, cause)]}
        if name == "Notify":
            answers |= {"Record Run": ANSWERS["Record Run"]}
        walk = Walk(answers | {name: [StepError("X", cause)]}).run()
        assert walk.path[-1] == "Export Failed"
        assert walk.output["Error"] == "X"
        path = [*FAILURE_PATH[:4], "Check Setup", *FAILURE_PATH[4:]] if name == "Check Setup" else FAILURE_PATH
        expected = path if name not in path else path[path.index(name) + 1 :]
        left = [state for state in expected if state in TASKS]
        after = [state for state in walk.path[walk.path.index(name) + 1 :] if state in TASKS]
        assert after == left
        if name not in {"Check Setup", "Record Run", "Notify"}:
            not_cancelled = {"not_cancelled": "X"} if name == "Cancel Report" else {}
            assert walk.payloads["Record Run"]["failure"] == {"error": "X", "cause": cause or ""} | not_cancelled

    @pytest.mark.parametrize("answer", [{"state": "SURPRISE"}, {"state": None}, {"state": {}}, {}, None, [], "VERIFIED"])
    @pytest.mark.parametrize("name", sorted(TASKS.keys() - CHANGE_NO_END - {"Cancel Report", "Check Setup"}))
    def test_an_unknown_answer_fails_the_run_by_name(self, name: str, answer: Any) -> None:
        recorded = {"Record Run": FAILED_ANSWERS["Record Run"], "Notify": FAILED_ANSWERS["Notify"]}
        answers = ANSWERS | ({} if name in recorded else recorded) | {name: [answer]}
        walk = Walk(answers).run()
        assert walk.path[-1] == "Export Failed"
        failure = walk.variables["failure"] if name in recorded else walk.payloads["Record Run"]["failure"]
        assert failure["error"] == "Workflow.UnknownAnswer"
        assert failure["cause"].startswith(f"{name} gave an answer that the workflow does not know: ")
        if name not in recorded:
            assert [each for each in walk.path if each in TASKS][-2:] == ["Record Run", "Notify"]

    @pytest.mark.parametrize("name", ["Cancel Report", "Check Setup"])
    def test_an_unknown_answer_in_the_failure_path_leaves_the_failure(self, name: str) -> None:
        failed = {"state": "FAILED", "failure": FAILURE | {"error": remediation.OF_THE_SETUP[0]}}
        walk = Walk(FAILED_ANSWERS | {"Check Report": [failed], name: [{"state": "SURPRISE"}]}).run()
        assert walk.path[-1] == "Export Failed"
        assert walk.payloads["Record Run"]["failure"]["error"] == remediation.OF_THE_SETUP[0]

    @pytest.mark.parametrize("answer", [{"state": "SURPRISE"}, {"state": None}, {"state": {}}, {}, None, [], "PART_ANALYZED"])
    @pytest.mark.parametrize("name", sorted(ANALYSIS))
    def test_an_analyses_unknown_answer_is_recorded_as_its_failure_and_the_export_succeeds(self, name: str, answer: Any) -> None:
        walk = Walk(IN_PARTS | {name: [answer]}).run()
        assert walk.path[-1] == "Export Succeeded"
        failure = walk.payloads["Record Run"]["analysis_failure"]
        assert failure["error"] == "Workflow.UnknownAnswer"
        assert failure["cause"].startswith(f"{name} gave an answer that the workflow does not know: ")
        assert failure["cause"].endswith("SURPRISE" if answer == {"state": "SURPRISE"} else "")

    def test_owners_are_notified_after_the_run_where_messages_are_due(self) -> None:
        walk = Walk(TO_OWNERS).run()
        assert walk.path[-5:] == ["Notify", "Owners to Notify?", OWNERS, "Export Failed?", "Export Succeeded"]
        assert set(walk.payloads[OWNERS]) == {"release", "execution"}
        assert walk.output == {"outcome": "SUCCEEDED", "delivery": DELIVERY}

    def test_a_run_that_asked_for_silence_notifies_no_owner_either(self) -> None:
        silent = {"state": "CLOSED", "outcome": "SUCCEEDED", "failure": None}
        walk = Walk(TO_OWNERS | {"Record Run": [silent]}).run()
        assert {"Notify", OWNERS} & set(walk.path) == set()
        assert walk.path[-1] == "Export Succeeded"

    @pytest.mark.parametrize("answer", [{"owners_due": None}, {"owners_due": "true"}, {}, {"owners_due": 1}])
    def test_owners_are_notified_only_where_notify_says_so(self, answer: Any) -> None:
        assert OWNERS not in Walk(ANSWERS | {"Notify": [{"state": "NOTIFIED", "failure": None} | answer]}).run().path

    @pytest.mark.parametrize(
        "error", ["NotRecordedError", "AccessDeniedError", "States.Timeout", "Lambda.TooManyRequestsException"]
    )
    @pytest.mark.parametrize("cause", ['{"errorMessage": "x"}', "", None])
    def test_owners_who_cannot_be_notified_do_not_change_how_the_execution_ends(self, error: str, cause: str | None) -> None:
        walk = Walk(TO_OWNERS | {OWNERS: [StepError(error, cause)]}).run()
        assert walk.path[-3:] == [OWNERS, "Export Failed?", "Export Succeeded"]
        assert walk.variables["failure"] is None

    @pytest.mark.parametrize("answer", [{"state": "SURPRISE"}, {}, None, [], "OWNERS_NOTIFIED"])
    def test_nor_does_an_unknown_answer_about_owners(self, answer: Any) -> None:
        assert Walk(TO_OWNERS | {OWNERS: [answer]}).run().path[-1] == "Export Succeeded"

    def test_no_success_without_a_verified_report(self) -> None:
        walk = Walk(ANSWERS | {"Verify Report": [{"state": "VERIFIED", "delivery": None}]}).run()
        assert walk.output["Error"] == "Workflow.UnknownAnswer"
        assert walk.output["Cause"].endswith(".")

    @pytest.mark.parametrize("error", ["States.Timeout", "States.QueryEvaluationError", "States.TaskFailed"])
    def test_an_error_of_step_functions_gets_a_name_of_ours(self, error: str) -> None:
        ours = error.replace("States.", "Workflow.")
        failed = Walk(ANSWERS | {"Record Run": [StepError(error, None)], "Notify": [StepError("X", "c")]}).run()
        assert failed.output["Error"] == ours
        for name in TASKS.keys() - CHANGE_NO_END - {"Cancel Report", "Check Setup", "Record Run", "Notify"}:
            walk = Walk(FAILED_ANSWERS | {name: [StepError(error, None)]}).run()
            assert walk.payloads["Record Run"]["failure"] == {"error": ours, "cause": ""}
        for name in ANALYSIS:
            analyzed = Walk(IN_PARTS | {name: [StepError(error, None)]}).run()
            assert analyzed.payloads["Record Run"]["analysis_failure"]["error"] == ours

    @pytest.mark.parametrize("cause", ['{"errorMessage": "x"}', "plain", "", None])
    @pytest.mark.parametrize("name", sorted(ANALYSIS))
    def test_an_analysis_that_breaks_down_is_recorded_and_the_export_succeeds(self, name: str, cause: str | None) -> None:
        walk = Walk(IN_PARTS | {name: [StepError("Sandbox.Timedout", cause)]}).run()
        assert walk.path[-1] == "Export Succeeded"
        assert walk.payloads["Record Run"]["analysis_failure"] == {"error": "Sandbox.Timedout", "cause": cause or ""}
        assert walk.payloads["Record Run"]["failure"] is None

    def test_an_analysis_that_is_switched_off_is_not_made(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(STATES["Prepare Run"]["Assign"], "analysis", "OFF")
        walk = Walk(ANSWERS).run()
        assert ANALYZE not in walk.path
        assert walk.output == {"outcome": "SUCCEEDED", "delivery": DELIVERY}

    @pytest.mark.parametrize("error", remediation.OF_THE_SETUP)
    def test_a_failure_of_the_setup_is_recorded_with_what_the_check_found(self, error: str) -> None:
        failed = {"state": "FAILED", "failure": {"error": error, "cause": "as caught"}}
        walk = Walk(FAILED_ANSWERS | {"Check Report": [failed]}).run()
        assert walk.path[-11:] == [*FAILURE_PATH[:4], "Check Setup", *FAILURE_PATH[4:]]
        assert walk.payloads["Record Run"]["failure"] == {"error": error, "cause": "as caught", "setup": SETUP}

    def test_a_setup_that_cannot_be_checked_prevents_neither_the_record_nor_the_notification(self) -> None:
        answers = FAILED_ANSWERS | {"Start Report": [StepError(SETUP_ERROR, "one")], "Check Setup": [StepError("Second", "two")]}
        walk = Walk(answers).run()
        assert walk.path[-6:] == FAILURE_PATH[-6:]
        assert walk.payloads["Record Run"]["failure"] == {"error": SETUP_ERROR, "cause": "one"}

    @pytest.mark.parametrize("second", ["Cancel Report", "Release Lock", "Record Run", "Notify"])
    def test_the_first_failure_stands_when_a_second_follows(self, second: str) -> None:
        answers = FAILED_ANSWERS | {"Check Report": [StepError("First", "one")], second: [StepError("Second", "two")]}
        walk = Walk(answers).run()
        assert walk.path[-1] == "Export Failed"
        not_cancelled = {"not_cancelled": "Second"} if second == "Cancel Report" else {}
        assert walk.payloads["Record Run"]["failure"] == {"error": "First", "cause": "one"} | not_cancelled
        assert walk.output["Error"] != "Second"

    def test_a_report_that_could_not_be_cancelled_is_recorded_beside_what_a_setup_check_found(self) -> None:
        answers = FAILED_ANSWERS | {
            "Check Report": [StepError(SETUP_ERROR, "one")],
            "Cancel Report": [StepError("States.Timeout", "")],
        }
        failure = Walk(answers).run().payloads["Record Run"]["failure"]
        assert (failure["error"], failure["not_cancelled"], "setup" in failure) == (SETUP_ERROR, "Workflow.Timeout", True)

    def test_a_success_that_could_not_be_notified_is_a_failure_to_look_at(self) -> None:
        assert Walk(ANSWERS | {"Notify": [StepError("X", "c")]}).run().output == {"Error": "X", "Cause": "c"}

    def test_a_success_that_could_not_be_recorded_is_a_failure_to_look_at(self) -> None:
        answers = ANSWERS | {"Record Run": [StepError("X", "c")], "Notify": [StepError("NotRecordedError", "c")]}
        assert Walk(answers).run().output == {"Error": "X", "Cause": "c"}

    def test_a_step_that_failed_after_it_had_recorded_a_success_does_not_falsify_the_notification(self) -> None:
        assert Walk(ANSWERS | {"Record Run": [StepError("X", "c")]}).run().path[-1] == "Export Succeeded"

    def test_a_notification_of_the_release_before_leaves_the_recorded_failure(self) -> None:
        walk = Walk(FAILED_ANSWERS | {"Notify": [{"state": "NOTIFIED"}]}).run()
        assert walk.output == {"Error": "InspectorBusy", "Cause": "in words"}

    def test_the_workflow_ends_as_it_was_recorded_even_where_clean_up_was_first(self) -> None:
        stopped = {"state": "CLOSED", "outcome": "ABORTED", "failure": {"error": "Stopped", "cause": "c"}}
        assert Walk(ANSWERS | {"Record Run": [stopped]}).run().output == {"Error": "Stopped", "Cause": "c"}

    def test_the_fail_states_texts_are_cut_to_what_it_takes(self) -> None:
        failure = {"error": "e" * 300, "cause": "ä" * 40_000}
        (error,), (cause,) = (list(expressions(STATES["Export Failed"][key])) for key in ("Error", "Cause"))
        assert len(evaluate(error, {"failure": failure}, {})) == 256
        assert len(evaluate(cause, {"failure": failure}, {})) == 32_768


def test_every_substitution_is_given_and_no_more() -> None:
    used = set(re.findall(r"\$\{(\w+)\}", MACHINE_TEXT))
    given = RESOURCES["ExportFindings"]["Properties"]["DefinitionSubstitutions"]
    assert used == set(given)
    for name, value in given.items():
        given_by = {"Partition": {"Ref": "AWS::Partition"}, "Analysis": {"Ref": "Analysis"}, "PartBytes": str(PART_BYTES)}
        assert value == given_by.get(name, {"Fn::GetAtt": [name.removesuffix("Arn"), "Arn"]})


def test_a_catch_leads_only_to_the_failures_end() -> None:
    for task in (each for name, each in TASKS.items() if name not in CHANGE_NO_END):
        ends, ahead, seen = set(), [task["Catch"][0]["Next"]], set()
        while ahead:
            name = ahead.pop()
            if name in seen:
                continue
            seen.add(name)
            state = STATES[name]
            if state["Type"] in {"Succeed", "Fail"}:
                ends.add(name)
            ahead += after_a_failure(state)
        assert ends == {"Export Failed"}


def after_a_failure(state: dict[str, Any]) -> list[str]:
    """Where a state leads once a failure is known."""
    decided = [choice for choice in state.get("Choices", []) if "$failure" in choice["Condition"]]
    for choice in decided:
        (condition,) = expressions(choice["Condition"])
        if evaluate(condition, {"failure": FAILURE}, {}):
            return [choice["Next"]]
        return [choice["Next"], state["Default"]]  # another failure may decide otherwise
    return list(next_states(state))


def test_the_definition_fits_step_functions() -> None:
    assert len(json.dumps(MACHINE)) < 1024 * 1024
    assert MACHINE["QueryLanguage"] == "JSONata"
